/** The key store over etcd: its raw key-value, lease and watch calls, and nothing of etcd3's own recipes. */
import type { ICompare, IKeyValue, IOptions, IRequestOp, IWatchResponse } from "etcd3";
import { Etcd3 } from "etcd3";
import { QuantmeshError } from "../domain/errors.ts";
import type { RoundTrip } from "../domain/round-trip.ts";
import type { Condition, KeyEntry, KeyEvent, KeyStore, LeaseId, Listing, Write } from "./key-store.ts";

export interface EtcdOptions {
  /** Each `http://host:port` or `https://host:port`. */
  readonly hosts: readonly string[];
  readonly username?: string;
  readonly password?: string;
  /** PEM text; for https. */
  readonly tls?: { readonly ca?: string; readonly certificate?: string; readonly key?: string };
  /** How long one call may take, ms. */
  readonly limitMs: number;
}

type FaultHandling = NonNullable<IOptions["faultHandling"]>;

/** etcd3 would repeat transactions whose outcome is unknown, and bar a host for 5 s after three failures. */
const NEVER_REPEAT: NonNullable<FaultHandling["global"]> = {
  _altReturn: undefined as never,
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: async (run) => run({ signal: new AbortController().signal }),
};

/** A restarted server is found again at once, and a silent one is noticed on an idle connection. */
const CONNECTION_OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.min_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 500,
  // etcd ends a connection that is pinged more often than each 5 s.
  "grpc.keepalive_time_ms": 6000,
  "grpc.keepalive_timeout_ms": 2000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.use_local_subchannel_pool": 1,
};

/** How many keys one call lists. */
const PAGE = 5000;

export function openEtcdStore(options: EtcdOptions): KeyStore {
  return new EtcdStore(options);
}

class EtcdStore implements KeyStore {
  /** One client per host: a host is kept until it fails, so that a dead one costs one call and not every third. */
  readonly #clients: readonly Etcd3[];
  readonly #limitMs: number;
  #current = 0;

  constructor(options: EtcdOptions) {
    this.#limitMs = options.limitMs;
    this.#clients = options.hosts.map((host) => clientOf(host, options));
  }

  async list(prefix: string): Promise<Listing> {
    const entries: KeyEntry[] = [];
    let key = Buffer.from(prefix);
    let revision: string | undefined;
    for (;;) {
      const page = await this.#read((client, limit) =>
        client.kv.range(
          {
            key,
            range_end: endOf(prefix),
            limit: PAGE,
            ...(revision === undefined ? {} : { revision }),
          },
          limit,
        ),
      );
      revision ??= page.header.revision;
      entries.push(...page.kvs.map(entryOf));
      const last = page.kvs.at(-1);
      if (!page.more || !last) return { revision: Number(revision), entries };
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  async write(conditions: readonly Condition[], writes: readonly Write[]): Promise<number | undefined> {
    const answer = await this.#call((client, limit) =>
      client.kv.txn({ compare: conditions.map(compareOf), success: writes.map(requestOf) }, limit),
    );
    return answer.succeeded ? Number(answer.header.revision) : undefined;
  }

  async watch(
    prefix: string,
    revision: number,
    listen: (events: readonly KeyEvent[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const stream = await this.#call((client) => client.watchClient.watch());
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        resolve();
        stream.end();
      };
      const fail = (cause: unknown): void => {
        signal.removeEventListener("abort", stop);
        reject(unavailable("watch", cause));
        stream.end();
      };
      signal.addEventListener("abort", stop, { once: true });
      stream.on("error", fail);
      stream.on("end", () => fail(new Error("the watch ended")));
      stream.on("data", (answer: IWatchResponse) => {
        if (answer.canceled) return fail(new Error(`the watch was cancelled: ${answer.cancel_reason}`));
        if (!signal.aborted && answer.events.length > 0) listen(answer.events.map(eventOf));
      });
      stream.write({
        create_request: {
          key: Buffer.from(prefix),
          range_end: endOf(prefix),
          start_revision: revision,
        },
      });
      if (signal.aborted) stop();
    });
  }

  async grantLease(ttlMs: number): Promise<{ readonly id: LeaseId; readonly ttlMs: number }> {
    const seconds = Math.ceil(ttlMs / 1000);
    const { ID, TTL } = await this.#call((client, limit) =>
      client.leaseClient.leaseGrant({ TTL: seconds }, limit),
    );
    return { id: ID, ttlMs: Number(TTL) * 1000 };
  }

  async keepLease(id: LeaseId): Promise<boolean> {
    return this.#read(async (client, limit) => {
      const stream = await client.leaseClient.leaseKeepAlive(limit);
      try {
        return await new Promise<boolean>((resolve, reject) => {
          stream.on("error", reject);
          stream.on("end", () => reject(new Error("the keep-alive ended without an answer")));
          stream.on("data", ({ TTL }) => resolve(Number(TTL) > 0));
          stream.write({ ID: id });
        });
      } finally {
        // A cancelled stream counts as a failed host in etcd3, which then closes every connection to it.
        stream.end();
      }
    });
  }

  async revokeLease(id: LeaseId): Promise<void> {
    await this.#call((client, limit) => client.leaseClient.leaseRevoke({ ID: id }, limit));
  }

  async timeLeft(key: string): Promise<number | undefined> {
    return this.#read(async (client, limit) => {
      const { kvs } = await client.kv.range({ key: Buffer.from(key) }, limit);
      const lease = kvs[0]?.lease;
      if (lease === undefined || lease === "0") return undefined;
      const { TTL } = await client.leaseClient.leaseTimeToLive({ ID: lease }, limit);
      return Number(TTL) < 0 ? undefined : Number(TTL) * 1000;
    });
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** A read may be asked of every host; a write of one only, as it may have happened. */
  async #read<Answer>(ask: (client: Etcd3, limit: CallLimit) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#call(ask);
      } catch (error) {
        if (attempt >= this.#clients.length) throw error;
      }
    }
  }

  async #call<Answer>(ask: (client: Etcd3, limit: CallLimit) => Promise<Answer>): Promise<Answer> {
    const asked = this.#current;
    const client = this.#clients[asked % this.#clients.length];
    if (!client) throw unavailable("call", new Error("no etcd host is configured"));
    try {
      return await ask(client, { deadline: Date.now() + this.#limitMs });
    } catch (cause) {
      // Calls that fail together move on by one host, not by one each.
      if (this.#current === asked) this.#current += 1;
      throw unavailable("call", cause);
    }
  }
}

/** What one member of the cluster says of itself; where it says nothing, why. */
export type EtcdMember =
  | {
      readonly kind: "answered";
      readonly host: string;
      readonly version: string;
      readonly clusterId: string;
      readonly hasLeader: boolean;
      /** How many members its cluster has. */
      readonly members: number;
      /** NOSPACE, CORRUPT. */
      readonly alarms: readonly string[];
      readonly dbBytes: number;
      readonly trips: readonly RoundTrip[];
    }
  | { readonly kind: "silent"; readonly host: string; readonly reason: string };

const PINGS = 5;

/** Asks each host by itself; reads only. */
export function inspectMembers(options: EtcdOptions): Promise<readonly EtcdMember[]> {
  return Promise.all(
    options.hosts.map(async (host): Promise<EtcdMember> => {
      const client = clientOf(host, options);
      const limit = { deadline: Date.now() + options.limitMs };
      try {
        const { header, version, leader, dbSize, errors } = await client.maintenance.status(limit);
        const { members } = await client.cluster.memberList({}, limit);
        const hasLeader = leader !== "0";
        const trips: RoundTrip[] = [];
        // A read asks the leader.
        for (let asked = 0; hasLeader && asked < PINGS; asked += 1) {
          const sent = performance.now();
          await client.kv.range({ key: Buffer.from("/quantmesh/"), count_only: true }, limit);
          trips.push({ sent, received: performance.now() });
        }
        return {
          kind: "answered",
          host,
          version,
          clusterId: header.cluster_id,
          hasLeader,
          members: members.length,
          alarms: errors.flatMap((text) => /alarm:(\w+)/.exec(text)?.[1] ?? []),
          dbBytes: Number(dbSize),
          trips,
        };
      } catch (error) {
        return { kind: "silent", host, reason: error instanceof Error ? error.message : String(error) };
      } finally {
        client.close();
      }
    }),
  );
}

interface CallLimit {
  readonly deadline: number;
}

function clientOf(host: string, { username, password, tls }: EtcdOptions): Etcd3 {
  return new Etcd3({
    hosts: host,
    grpcOptions: CONNECTION_OPTIONS,
    faultHandling: { global: NEVER_REPEAT, host: () => NEVER_REPEAT },
    ...(username === undefined ? {} : { auth: { username, password: password ?? "" } }),
    ...(tls?.ca === undefined ? {} : { credentials: credentialsOf(tls, tls.ca) }),
  });
}

function credentialsOf(
  { certificate, key }: NonNullable<EtcdOptions["tls"]>,
  ca: string,
): NonNullable<IOptions["credentials"]> {
  return {
    rootCertificate: Buffer.from(ca),
    ...(certificate === undefined ? {} : { certChain: Buffer.from(certificate) }),
    ...(key === undefined ? {} : { privateKey: Buffer.from(key) }),
  };
}

/** The first key after all that begin with `prefix`, whose last letter is ASCII. */
function endOf(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] ?? 0) + 1;
  return end;
}

function entryOf({ key, value, mod_revision }: IKeyValue): KeyEntry {
  return { key: key.toString(), value: value.toString(), revision: Number(mod_revision) };
}

function eventOf({ type, kv }: IWatchResponse["events"][number]): KeyEvent {
  // The name, as the schema that etcd3 loads spells it, or the number.
  return String(type).toUpperCase() === "DELETE" || Number(type) === 1
    ? { kind: "deleted", key: kv.key.toString(), revision: Number(kv.mod_revision) }
    : { kind: "put", entry: entryOf(kv) };
}

function compareOf({ key, revision }: Condition): ICompare {
  return { key: Buffer.from(key), target: "Mod", result: "Equal", mod_revision: revision };
}

function requestOf(write: Write): IRequestOp {
  const key = Buffer.from(write.key);
  if (write.kind === "delete") return { request_delete_range: { key } };
  const lease = write.lease === undefined ? {} : { lease: write.lease };
  return { request_put: { key, value: Buffer.from(write.value), ...lease } };
}

function unavailable(what: string, cause: unknown): QuantmeshError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new QuantmeshError("COORDINATION_UNAVAILABLE", `etcd ${what}: ${reason}`, { cause });
}
