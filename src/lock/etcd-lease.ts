/** The one lease of an instance: every key that it holds hangs on it, and goes with it when the instance dies. */
import { randomBytes } from "node:crypto";
import type { ILeaseKeepAliveResponse } from "etcd3";
import { EtcdLeaseInvalidError } from "etcd3";
import type { CallOptions, EtcdNodes } from "./etcd-nodes.ts";
import { LockUnavailable } from "./unavailable.ts";
import { validUntil } from "./validity.ts";

export interface HeldLease {
  readonly id: string;
  /** Bumped to make every transaction void that was sent before; hangs on the lease too. */
  readonly guard: Buffer;
  guardRevision: string;
  /** Local monotonic ms, counted from before the last renewal was sent. */
  validUntil: number;
  readonly ttlMs: number;
}

type Client = Parameters<Parameters<EtcdNodes["call"]>[0]>[0];

export class EtcdLease {
  readonly #nodes: EtcdNodes;
  readonly #prefix: string;
  readonly #ttlSeconds: number;
  #held: HeldLease | undefined;
  /** Shared by all who need it at the same time. */
  #renewing: Promise<HeldLease> | undefined;

  /** Lives half as long again as the longest grant, so that a grant seldom needs a renewal first. */
  constructor(nodes: EtcdNodes, prefix: string, maxTtlMs: number) {
    this.#nodes = nodes;
    this.#prefix = prefix;
    this.#ttlSeconds = Math.ceil((1.5 * maxTtlMs) / 1000) + 1;
  }

  /** The lease, if there is one that etcd has not ended as far as we know. */
  get held(): HeldLease | undefined {
    return this.#held && this.#held.validUntil > performance.now() ? this.#held : undefined;
  }

  /** A lease that outlives the next `ttlMs`; a new one where the old one has ended. */
  async lasting(ttlMs: number): Promise<HeldLease> {
    const { held } = this;
    return held && held.validUntil - performance.now() >= ttlMs ? held : this.renew();
  }

  renew(): Promise<HeldLease> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** The keys that hang on the lease; none where it has ended. */
  async keys({ id }: HeldLease): Promise<ReadonlySet<string>> {
    const { keys } = await this.#nodes.call((client, options) =>
      client.leaseClient.leaseTimeToLive({ ID: id, keys: true }, options),
    );
    return new Set(keys.map((key) => key.toString()));
  }

  /** Makes void what was sent before and not answered: it can no longer be carried out once this is answered. */
  async bumpGuard(lease: HeldLease): Promise<void> {
    const { header } = await this.#nodes.call((client, options) =>
      client.kv.put({ key: lease.guard, value: BUMPED, lease: lease.id }, options),
    );
    if (Number(header.revision) > Number(lease.guardRevision)) lease.guardRevision = header.revision;
  }

  /** Ends the lease and frees every key that hangs on it. */
  async revoke(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held) await this.#revoke(held.id);
  }

  async #renew(): Promise<HeldLease> {
    const held = this.#held;
    if (held) {
      const sentAt = performance.now();
      const seconds = await this.#nodes.call((client, options) => keepAlive(client, held.id, options));
      if (seconds > 0) {
        held.validUntil = validUntil(sentAt, seconds * 1000);
        return held;
      }
      this.#held = undefined;
    }
    return this.#grant();
  }

  /** The id is ours, so that a lease whose grant was not answered can be ended all the same. */
  async #grant(): Promise<HeldLease> {
    const id = String(randomBytes(8).readBigUInt64BE() >> 1n);
    const guard = Buffer.from(`${this.#prefix}guard/${id}`);
    const sentAt = performance.now();
    try {
      const answer = await this.#nodes.call(async (client, options) => {
        const granted = await client.leaseClient.leaseGrant({ ID: id, TTL: this.#ttlSeconds }, options);
        const { header } = await client.kv.put({ key: guard, value: BUMPED, lease: id }, options);
        return { ttlMs: Number(granted.TTL) * 1000, revision: header.revision };
      });
      this.#held = {
        id,
        guard,
        guardRevision: answer.revision,
        validUntil: validUntil(sentAt, answer.ttlMs),
        ttlMs: answer.ttlMs,
      };
      return this.#held;
    } catch (error) {
      // It would end by itself as nobody keeps it alive; this is only sooner.
      this.#revoke(id).catch(() => undefined);
      throw error;
    }
  }

  async #revoke(id: string): Promise<void> {
    try {
      await this.#nodes.call((client, options) => client.leaseClient.leaseRevoke({ ID: id }, options));
    } catch (error) {
      if (!(error instanceof EtcdLeaseInvalidError)) throw error;
    }
  }
}

const BUMPED = Buffer.from("guard");

/** Seconds that the lease lives from now on; 0 where it has ended. */
async function keepAlive(client: Client, id: string, options: CallOptions): Promise<number> {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  try {
    const answer = await new Promise<ILeaseKeepAliveResponse>((resolve, reject) => {
      stream.on("data", resolve);
      stream.on("error", reject);
      stream.on("end", () => reject(new LockUnavailable("etcd ended the renewal of a lease", true)));
      stream.write({ ID: id });
    });
    return Number(answer.TTL);
  } finally {
    stream.end();
  }
}
