/** The Redis servers that one set of locks lives on, whether one stands there or a cluster. */
import type { RedisOptions } from "ioredis";
import { RedisNode } from "./redis-node.ts";

export interface RedisService {
  /** The key as it stands in Redis. */
  nameOf(key: string): string;
  /** Keys of equal slot may be used by one script. */
  slotOf(name: string): number;
  /** Does `work` on the server that has the keys of the slot. Throws LockUnavailable. */
  on<Answer>(slot: number, work: (server: RedisNode) => Promise<Answer>): Promise<Answer>;
  ping(): Promise<void>;
  close(): void;
}

export interface RedisTimes {
  readonly timeoutMs: number;
  readonly maxTtlMs: number;
}

/** One server, or whichever server Sentinel names; with several connections each market keeps to one of them. */
export class RedisServer implements RedisService {
  readonly #nodes: readonly RedisNode[];
  readonly #prefix: string;

  constructor(
    connection: RedisOptions,
    name: string,
    prefix: string,
    connections: number,
    times: RedisTimes,
  ) {
    this.#prefix = prefix;
    this.#nodes = Array.from({ length: connections }, () => new RedisNode({ connection, name, ...times }));
  }

  async opened(limitMs: number): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.opened(limitMs)));
  }

  nameOf(key: string): string {
    return this.#prefix + key;
  }

  slotOf(name: string): number {
    return this.#nodes.length === 1 ? 0 : hashOf(marketOf(name)) % this.#nodes.length;
  }

  on<Answer>(slot: number, work: (server: RedisNode) => Promise<Answer>): Promise<Answer> {
    return work(this.#nodes[slot] as RedisNode);
  }

  async ping(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.ping()));
  }

  close(): void {
    for (const node of this.#nodes) node.close();
  }
}

/** What the keys of one market have in common: everything before the last colon. */
export function marketOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf(":")));
}

function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}
