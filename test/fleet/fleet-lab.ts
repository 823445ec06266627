/** A whole fleet of real processes: etcd, PostgreSQL, the venue and `bin/quantmesh`, judged by the venue and the database. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Etcd3 } from "etcd3";
import pg from "pg";
import { stringify } from "yaml";
import { openEtcdStore } from "../../src/coordination/etcd-store.ts";
import type { KeyStore } from "../../src/coordination/key-store.ts";
import type { FleetView } from "../../src/coordination/fleet-view.ts";
import { fleetKeys, readFleet } from "../../src/coordination/fleet-view.ts";
import type { JournalLine } from "../../src/venue/server/journal-format.ts";
import type { Command, LogLine } from "../support/command.ts";
import { endCommands, startCommand } from "../support/command.ts";
import type { CertificateAuthority, Identity } from "../support/certificates.ts";
import { seededRandom } from "../support/scale.ts";
import { startEtcd } from "../support/servers/etcd.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { LinkProxy } from "../support/servers/link-proxy.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { serverFolder } from "../support/servers/private-server.ts";
import { startRedis } from "../support/servers/redis.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { readJournal } from "../support/venue-audit.ts";
import { startVenueProcess } from "../support/venue-process.ts";

export interface FleetLabOptions {
  readonly symbols: number;
  readonly etcdSize?: 1 | 3;
  /** Signs what etcd and the heartbeats are encrypted with; without it they are not. */
  readonly authority?: CertificateAuthority;
  /** Whether instances reach etcd over links that a test can cut. */
  readonly cutsEtcd?: boolean;
  /** Keys of the `coordination` section beside its addresses. */
  readonly coordination?: Readonly<Record<string, unknown>>;
  /** Keys of each symbol's grid in the place of a window of three levels. */
  readonly grid?: Readonly<Record<string, unknown>>;
}

/** One process of the fleet, and when it was last heard of. */
export interface FleetInstance {
  readonly id: string;
  readonly command: Command;
  readonly config: string;
  readonly options: StartOptions;
}

export interface StartOptions {
  readonly standby?: boolean;
  readonly symbols?: readonly string[];
  /** Its own way to the database. */
  readonly dsn?: string;
  /** Keys of its `coordination` section beside those of the fleet. */
  readonly coordination?: Readonly<Record<string, unknown>>;
}

/** How long a request of an instance lives at the venue. */
export const REQUEST_WINDOW_MS = 1000;
/** No instance is replaced because a busy machine lets it wait: for tests of something else. */
export const PATIENT = { silence_ms: 5000, refute_ms: 3000 } as const;
const SECRET = "a secret of the whole fleet";
/** Each instance signs with a key of its own, so that the venue's journal tells who sent what. */
const KEYS = 16;
const API_SECRET = "fleet-secret-0001";
const FLEET = "lab";
const WINDOW = {
  lattice: "window",
  price_interval: 1,
  order_quantity: 40,
  buy_window_size: 3,
  sell_window_size: 3,
};
const START_PRICE = "100";
/** So long without anything sent is quiet. */
const QUIET_MS = 1000;
/** How long the market rests after each round of moves, ms. */
const MOVE_PAUSE_MS = 500;

export class FleetLab {
  readonly folder = serverFolder("fleet");
  readonly symbols: readonly string[];
  readonly redis: PrivateServer;
  readonly etcd: readonly PrivateServer[];
  /** With `cutsEtcd`: between the instances and each member. */
  readonly etcdLinks: readonly LinkProxy[];
  readonly database: DatabaseServer;
  readonly venue: VenueProcess;
  readonly dsn: string;
  readonly #options: FleetLabOptions;
  /** Instances by their first start; the place is the number of their key. */
  readonly #ids: string[] = [];
  readonly #identity: Identity | undefined;
  #started = 0;
  #stopMarket: () => Promise<void> = async () => undefined;

  private constructor(
    options: FleetLabOptions,
    servers: Pick<FleetLab, "redis" | "etcd" | "etcdLinks" | "database" | "venue" | "dsn" | "symbols">,
  ) {
    this.#options = options;
    this.#identity = options.authority?.issue("instance");
    this.redis = servers.redis;
    this.etcd = servers.etcd;
    this.etcdLinks = servers.etcdLinks;
    this.database = servers.database;
    this.venue = servers.venue;
    this.dsn = servers.dsn;
    this.symbols = servers.symbols;
  }

  static async open(options: FleetLabOptions): Promise<FleetLab> {
    const symbols = Array.from({ length: options.symbols }, (_, index) => `S${index}/USDT`);
    const [redis, etcd, database, venue] = await Promise.all([
      startRedis(),
      startEtcd(options.etcdSize ?? 1, { tls: options.authority?.issue("etcd") }),
      startPostgres(),
      startVenueProcess({
        accounts: { main: { USDT: "1000000000" } },
        keys_list: Array.from({ length: KEYS }, (_, index) => ({
          api_key: apiKey(index),
          secret_key: API_SECRET,
          account: "main",
          permissions: ["read", "trade"],
        })),
        symbols: Object.fromEntries(
          symbols.map((symbol) => [
            symbol,
            {
              tick_size: "0.01",
              lot_size: "0.001",
              min_notional: "5",
              market: { type: "manual", start_price: START_PRICE },
            },
          ]),
        ),
      }),
    ]);
    const dsn = await database.createDatabase();
    const etcdLinks = await Promise.all(
      options.cutsEtcd ? etcd.map(async (node) => LinkProxy.open(() => node.port)) : [],
    );
    return new FleetLab(options, { redis, etcd, etcdLinks, database, venue, dsn, symbols });
  }

  /** Starts an instance; its id may be that of one that ended. */
  start(id: string, options: StartOptions = {}): FleetInstance {
    if (!this.#ids.includes(id)) this.#ids.push(id);
    const folder = join(this.folder, `${id}-${(this.#started += 1)}`);
    mkdirSync(folder, { recursive: true });
    const config = join(folder, "config.yaml");
    writeFileSync(config, stringify(this.#config(id, options)), { mode: 0o600 });
    const command = startCommand([...(options.standby ? ["--standby"] : []), "-c", config], { cwd: folder });
    return { id, command, config, options };
  }

  /** Puts a symbol on a seat, as `quantmesh symbols move` does. */
  async pin(symbol: string, seat: number): Promise<void> {
    const key = fleetKeys(FLEET).pin(symbol);
    await this.#withStore((store) =>
      store.write([], [{ kind: "put", key, value: JSON.stringify({ seat }) }]),
    );
  }

  /** The fleet as etcd knows it now. */
  async view(): Promise<FleetView> {
    const keys = fleetKeys(FLEET);
    const { entries } = await this.#withStore((store) => store.list(keys.prefix));
    return readFleet(keys, new Map(entries.map((entry) => [entry.key, entry])));
  }

  /** Ends the lease of every registration, as a leader of etcd does that wakes from a freeze. */
  async endLeases(): Promise<void> {
    const etcd = new Etcd3({ hosts: this.#etcdHosts()[0] ?? "" });
    try {
      const { kvs } = await etcd
        .getAll()
        .prefix(`${fleetKeys(FLEET).prefix}instances/`)
        .exec();
      await Promise.all(kvs.map(({ lease }) => etcd.leaseClient.leaseRevoke({ ID: lease })));
    } finally {
      etcd.close();
    }
  }

  /** Who has had its seat for the longest. */
  async longestSeated(): Promise<{ readonly id: string }> {
    const [seat] = (await this.view()).seats.toSorted((a, b) => a.revision - b.revision);
    if (!seat) throw new Error("nobody has a seat");
    return seat.holder;
  }

  /** When the venue accepted the first order of an instance after `since`, ms since 1970. */
  async firstOrder({ id, command }: FleetInstance, since: number): Promise<number> {
    // The journal is long: it is read when there can be something in it.
    await command.line((line) => line.event === "bot.trading" && timeOf(line) > since, 60_000);
    const find = () =>
      this.requestsOf(id).find(
        (line) => line.kind === "place" && line.outcome === "accepted" && line.time > since,
      );
    await until(() => find() !== undefined, 60_000);
    return find()?.time ?? Number.NaN;
  }

  /** The member of etcd that leads the others now. */
  async etcdLeader(): Promise<PrivateServer> {
    for (const node of this.etcd) {
      const client = new Etcd3({ hosts: `http://127.0.0.1:${node.port}` });
      try {
        const { header, leader } = await client.maintenance.status();
        if (header.member_id === leader) return node;
      } finally {
        client.close();
      }
    }
    throw new Error("etcd has no leader");
  }

  /** Every order and cancel that was sent, as the venue took it. */
  commands(): readonly (JournalLine & { readonly kind: "place" | "cancel" })[] {
    return readJournal(this.venue.journal).filter((line) => line.kind === "place" || line.kind === "cancel");
  }

  /** The orders and cancels that an instance has sent, as the venue took them. */
  requestsOf(id: string): readonly (JournalLine & { readonly kind: "place" | "cancel" })[] {
    const key = apiKey(this.#ids.indexOf(id));
    return this.commands().filter((line) => line.key === key);
  }

  /** How many symbols each holder has claimed; a released claim is nobody's. */
  async holders(): Promise<Readonly<Record<string, number>>> {
    const rows = await this.query<{ holder: string; count: string }>(
      "select split_part(holder, ' ', 1) as holder, count(*) from claims where token <> '' group by 1",
    );
    return Object.fromEntries(rows.map(({ holder, count }) => [holder, Number(count)]));
  }

  async query<Row extends pg.QueryResultRow>(sql: string): Promise<readonly Row[]> {
    const client = new pg.Client({ connectionString: this.dsn });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Moves every price up and down around its start, so that orders fill, until it is stopped. */
  startMarket(seed: number): void {
    const random = seededRandom(seed);
    const stopping = new AbortController();
    const moving = (async () => {
      while (!stopping.signal.aborted) {
        await this.move(this.symbols, random, stopping.signal);
        await pause(MOVE_PAUSE_MS, stopping.signal);
      }
    })();
    this.#stopMarket = async () => {
      stopping.abort();
      await moving;
    };
  }

  /** Moves the price of each of `symbols` once. */
  async move(symbols: readonly string[], random: () => number, signal?: AbortSignal): Promise<void> {
    for (const symbol of symbols) {
      if (signal?.aborted) return;
      await this.venue.admin.move(symbol, (98 + 4 * random()).toFixed(2));
    }
  }

  /** The market stands still from here on. */
  async stopMarket(): Promise<void> {
    await this.#stopMarket();
    this.#stopMarket = async () => undefined;
  }

  /** Waits until the fleet has caught up with a market that stands still, and sends nothing any more. */
  async catchUp(): Promise<void> {
    const deadline = performance.now() + 60_000;
    let seen = -1;
    for (;;) {
      const [row] = await this.query<{ unresolved: string }>(
        "select count(*) as unresolved from orders where status in ('pending', 'unknown')",
      );
      const sent = this.commands().length;
      if (row?.unresolved === "0" && sent === seen && (await this.missingFills()) === 0) return;
      seen = sent;
      if (performance.now() > deadline) {
        throw new Error(`${row?.unresolved ?? "?"} unresolved, ${await this.missingFills()} fills missing`);
      }
      await pause(QUIET_MS);
    }
  }

  /** Stops the market, waits until the fleet has caught up with it, and ends every instance in order. */
  async settle(instances: readonly FleetInstance[]): Promise<void> {
    await this.stopMarket();
    await this.catchUp();
    for (const { command } of instances) command.kill("SIGTERM");
    await Promise.all(instances.map(({ command }) => command.ended));
  }

  /** How many fills of the venue the database has not. */
  async missingFills(): Promise<number> {
    const [row] = await this.query<{ count: string }>("select count(*) as count from fills");
    return readJournal(this.venue.journal).flatMap(({ fills }) => fills).length - Number(row?.count ?? 0);
  }

  async close(): Promise<void> {
    await this.stopMarket();
    await endCommands();
    await this.venue.server.stop();
    await this.database.stop();
    await this.redis.stop();
    await Promise.all(this.etcdLinks.map((link) => link.close()));
    await Promise.all(this.etcd.map((server) => server.stop()));
    rmSync(this.folder, { recursive: true });
  }

  async #withStore<Result>(work: (store: KeyStore) => Promise<Result>): Promise<Result> {
    const tls = this.#identity ? { tls: this.#identity.pem } : {};
    const store = openEtcdStore({ hosts: this.#etcdHosts(), limitMs: 5000, ...tls });
    try {
      return await work(store);
    } finally {
      store.close();
    }
  }

  #etcdHosts(): readonly string[] {
    // A certificate is for a name.
    const host = this.#identity ? "https://localhost" : "http://127.0.0.1";
    return this.etcd.map(({ port }) => `${host}:${port}`);
  }

  #config(id: string, start: StartOptions): object {
    const { symbols = this.symbols, dsn = this.dsn, coordination } = start;
    return {
      app: { current_exchange: "binance" },
      exchanges: {
        sim: { balances: {}, symbols: {} },
        binance: {
          mode: "live",
          api_key: apiKey(this.#ids.indexOf(id)),
          secret_key: API_SECRET,
          request_window_ms: REQUEST_WINDOW_MS,
          settle_ms: 500,
          limits: { weight_per_minute: 1_000_000, orders_per_10_seconds: 1_000_000 },
          urls: { rest: this.venue.url, ws: this.venue.wsUrl },
        },
      },
      trading: {
        reconcile_interval: 30,
        symbols: symbols.map((symbol) => ({
          symbol,
          ...(this.#options.grid ?? WINDOW),
        })),
      },
      database: { type: "postgres", dsn },
      // A Redis server that is younger than its longest lock grants nothing yet.
      distributed_lock: { type: "redis", default_ttl: 4, redis: { addr: `127.0.0.1:${this.redis.port}` } },
      coordination: {
        mode: "dynamic",
        fleet: FLEET,
        etcd: {
          hosts: this.#options.cutsEtcd
            ? this.etcdLinks.map(({ port }) => `http://127.0.0.1:${port}`)
            : this.#etcdHosts(),
          ...this.#identity?.files,
        },
        ...(this.#identity ? { tls: this.#identity.files } : {}),
        listen: "127.0.0.1:0",
        secret: SECRET,
        ...this.#options.coordination,
        ...coordination,
      },
      instance: { id },
      web: { port: 0 },
    };
  }
}

function apiKey(index: number): string {
  return `fleet-key-${String(index).padStart(4, "0")}`;
}

/** Looks each 20 ms until `holds`; throws after `limitMs`. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 60_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${holds.toString()}`);
    await pause(20);
  }
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}

/** When a log line was written, ms since 1970. */
export function timeOf(line: LogLine): number {
  const { time } = line;
  return typeof time === "number" ? time : Date.parse(String(time));
}

/** The middle and the largest of some durations, as text. */
export function summarize(durations: readonly number[]): string {
  const sorted = durations.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return `p50 ${middle.toFixed(0)} ms, max ${(sorted.at(-1) ?? Number.NaN).toFixed(0)} ms, n ${sorted.length}`;
}
