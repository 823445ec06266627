/** A Redis Cluster: the keys of a market share a hash tag, so that one server has all of them. */
import type { RedisNode } from "./redis-node.ts";
import type { RedisService } from "./redis-service.ts";
import { marketOf } from "./redis-service.ts";
import { LockUnavailable } from "./unavailable.ts";

export interface ClusterOptions {
  readonly prefix: string;
  readonly seeds: readonly string[];
  /** Connects to `host:port`; one that joins later may have taken over from another. */
  readonly connect: (address: string, isJoining: boolean) => RedisNode;
}

const SLOTS = 16_384;
const LOOK_EVERY_MS = 500;

export class RedisCluster implements RedisService {
  readonly #options: ClusterOptions;
  readonly #nodes = new Map<string, RedisNode>();
  /** The address of each slot's server. */
  #owners: readonly (string | undefined)[] = [];
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ClusterOptions) {
    this.#options = options;
    for (const seed of options.seeds) this.#node(seed, false);
  }

  async opened(limitMs: number): Promise<void> {
    const since = performance.now();
    const openAll = (): Promise<unknown> =>
      Promise.all([...this.#nodes.values()].map((node) => node.opened(limitMs + since - performance.now())));
    await openAll();
    await this.#look(false);
    await openAll();
  }

  nameOf(key: string): string {
    const market = marketOf(key);
    return `${this.#options.prefix}{${market || "-"}}${key.slice(market.length)}`;
  }

  slotOf(name: string): number {
    const start = name.indexOf("{");
    const end = name.indexOf("}", start + 1);
    return crc16(start >= 0 && end > start + 1 ? name.slice(start + 1, end) : name) % SLOTS;
  }

  async on<Answer>(slot: number, work: (server: RedisNode) => Promise<Answer>): Promise<Answer> {
    try {
      return await work(this.#ownerOf(slot));
    } catch (error) {
      if (!(error instanceof LockUnavailable)) throw error;
      const [, moved] = /MOVED \d+ (\S+)/.exec(error.message) ?? [];
      void this.#look(true);
      if (moved === undefined) throw error;
      // A server that has moved the slot away did nothing, and says where to ask.
      return work(this.#node(moved, true));
    }
  }

  async ping(): Promise<void> {
    if (this.#owners.length === 0) await this.#look(true);
    const owners = [...new Set(this.#owners)].filter((address) => address !== undefined);
    if (owners.length === 0 || this.#owners.includes(undefined)) {
      throw this.#unavailable("not every slot has a server");
    }
    await Promise.all(owners.map((address) => this.#node(address, true).ping()));
  }

  close(): void {
    for (const node of this.#nodes.values()) node.close();
  }

  #ownerOf(slot: number): RedisNode {
    const node = this.#nodes.get(this.#owners[slot] ?? "");
    if (node) return node;
    throw this.#unavailable(`no server is known for slot ${slot}`);
  }

  #node(address: string, isJoining: boolean): RedisNode {
    let node = this.#nodes.get(address);
    if (!node) {
      node = this.#options.connect(address, isJoining);
      this.#nodes.set(address, node);
    }
    return node;
  }

  /** Asks which server has which slots; seldom, however many find out at once that it is not as it was. */
  #look(isJoining: boolean): Promise<void> {
    if (this.#looking) return this.#looking;
    if (performance.now() - this.#lookedAt < LOOK_EVERY_MS) return Promise.resolve();
    this.#lookedAt = performance.now();
    this.#looking = this.#askForSlots(isJoining).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #askForSlots(isJoining: boolean): Promise<void> {
    for (const [address, node] of this.#nodes) {
      try {
        const answer = await node.clusterSlots();
        this.#owners = ownersOf(answer, address.slice(0, address.lastIndexOf(":")));
        for (const owner of new Set(this.#owners)) if (owner !== undefined) this.#node(owner, isJoining);
        return;
      } catch (error) {
        if (!(error instanceof LockUnavailable)) throw error;
      }
    }
  }

  #unavailable(reason: string): LockUnavailable {
    return new LockUnavailable(`lock service redis cluster: ${reason}`, false);
  }
}

type SlotRange = readonly [first: number, last: number, master: readonly [host: string | null, port: number]];

/** From Redis' answer to CLUSTER SLOTS; a server without a name is the one that was asked. */
function ownersOf(answer: unknown, askedHost: string): readonly (string | undefined)[] {
  const owners = Array.from({ length: SLOTS }, (): string | undefined => undefined);
  for (const [first, last, [host, port]] of answer as readonly SlotRange[]) {
    owners.fill(`${host || askedHost}:${port}`, first, last + 1);
  }
  return owners;
}

/** CRC-16/XMODEM, which the Redis Cluster specification assigns slots by. */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc;
}
