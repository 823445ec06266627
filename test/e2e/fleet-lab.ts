/** A whole fleet of real processes: etcd, PostgreSQL, the venue and `bin/quantmesh`, judged by the venue and the database. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { stringify } from "yaml";
import { openEtcdStore } from "../../src/coordination/etcd-store.ts";
import { fleetKeys } from "../../src/coordination/fleet-view.ts";
import type { Command, LogLine } from "../support/command.ts";
import { endCommands, startCommand } from "../support/command.ts";
import { seededRandom } from "../support/scale.ts";
import { startEtcd } from "../support/servers/etcd.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { serverFolder } from "../support/servers/private-server.ts";
import { startRedis } from "../support/servers/redis.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { readJournal } from "./read-journal.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

export interface FleetLabOptions {
  readonly symbols: number;
  readonly etcdSize?: 1 | 3;
  /** Keys of the `coordination` section beside its addresses. */
  readonly coordination?: Readonly<Record<string, unknown>>;
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
}

const SECRET = "a secret of the whole fleet";
const FLEET = "lab";
const START_PRICE = "100";
/** How long the market rests after each round of moves, ms. */
const MOVE_PAUSE_MS = 500;

export class FleetLab {
  readonly folder = serverFolder("fleet");
  readonly symbols: readonly string[];
  readonly redis: PrivateServer;
  readonly etcd: readonly PrivateServer[];
  readonly database: DatabaseServer;
  readonly venue: VenueProcess;
  readonly dsn: string;
  readonly #options: FleetLabOptions;
  #started = 0;
  #stopMarket: () => Promise<void> = async () => undefined;

  private constructor(
    options: FleetLabOptions,
    servers: Pick<FleetLab, "redis" | "etcd" | "database" | "venue" | "dsn" | "symbols">,
  ) {
    this.#options = options;
    this.redis = servers.redis;
    this.etcd = servers.etcd;
    this.database = servers.database;
    this.venue = servers.venue;
    this.dsn = servers.dsn;
    this.symbols = servers.symbols;
  }

  static async open(options: FleetLabOptions): Promise<FleetLab> {
    const symbols = Array.from({ length: options.symbols }, (_, index) => `S${index}/USDT`);
    const [redis, etcd, database, venue] = await Promise.all([
      startRedis(),
      startEtcd(options.etcdSize ?? 1),
      startPostgres(),
      startVenueProcess({
        accounts: { main: { USDT: "1000000000" }, other: {} },
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
    return new FleetLab(options, { redis, etcd, database, venue, dsn, symbols });
  }

  /** Starts an instance; its id may be that of one that ended. */
  start(id: string, options: StartOptions = {}): FleetInstance {
    const folder = join(this.folder, `${id}-${(this.#started += 1)}`);
    mkdirSync(folder, { recursive: true });
    const config = join(folder, "config.yaml");
    writeFileSync(config, stringify(this.#config(id, options.symbols ?? this.symbols)), { mode: 0o600 });
    const command = startCommand([...(options.standby ? ["--standby"] : []), "-c", config], { cwd: folder });
    return { id, command, config, options };
  }

  /** Puts a symbol on a seat, as `quantmesh symbols move` does. */
  async pin(symbol: string, seat: number): Promise<void> {
    const store = openEtcdStore({ hosts: this.#etcdHosts(), limitMs: 5000 });
    try {
      const key = fleetKeys(FLEET).pin(symbol);
      await store.write([], [{ kind: "put", key, value: JSON.stringify({ seat }) }]);
    } finally {
      store.close();
    }
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
        for (const symbol of this.symbols) {
          if (stopping.signal.aborted) return;
          await this.venue.admin.move(symbol, (98 + 4 * random()).toFixed(2));
        }
        await pause(MOVE_PAUSE_MS, stopping.signal);
      }
    })();
    this.#stopMarket = async () => {
      stopping.abort();
      await moving;
    };
  }

  /** The market stands still from here on. */
  async stopMarket(): Promise<void> {
    await this.#stopMarket();
    this.#stopMarket = async () => undefined;
  }

  /** Stops the market, waits until the fleet has caught up with it, and ends every instance in order. */
  async settle(instances: readonly FleetInstance[]): Promise<void> {
    await this.stopMarket();
    const deadline = performance.now() + 60_000;
    for (;;) {
      const [row] = await this.query<{ unresolved: string }>(
        "select count(*) as unresolved from orders where status in ('pending', 'unknown')",
      );
      if (row?.unresolved === "0" && (await this.missingFills()) === 0) break;
      if (performance.now() > deadline) {
        throw new Error(`${row?.unresolved ?? "?"} unresolved, ${await this.missingFills()} fills missing`);
      }
      await pause(100);
    }
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
    await Promise.all(this.etcd.map((server) => server.stop()));
  }

  #etcdHosts(): readonly string[] {
    return this.etcd.map(({ port }) => `http://127.0.0.1:${port}`);
  }

  #config(id: string, symbols: readonly string[]): object {
    return {
      app: { current_exchange: "binance" },
      exchanges: {
        sim: { balances: {}, symbols: {} },
        binance: {
          mode: "live",
          api_key: VENUE_KEY.apiKey,
          secret_key: VENUE_KEY.secret,
          settle_ms: 500,
          limits: { weight_per_minute: 1_000_000, orders_per_10_seconds: 1_000_000 },
          urls: { rest: this.venue.url, ws: this.venue.wsUrl },
        },
      },
      trading: {
        reconcile_interval: 30,
        symbols: symbols.map((symbol) => ({
          symbol,
          lattice: "window",
          price_interval: 1,
          order_quantity: 40,
          buy_window_size: 3,
          sell_window_size: 3,
        })),
      },
      database: { type: "postgres", dsn: this.dsn },
      // A Redis server that is younger than its longest lock grants nothing yet.
      distributed_lock: { type: "redis", default_ttl: 4, redis: { addr: `127.0.0.1:${this.redis.port}` } },
      coordination: {
        mode: "dynamic",
        fleet: FLEET,
        etcd: { hosts: this.#etcdHosts() },
        listen: "127.0.0.1:0",
        secret: SECRET,
        ...this.#options.coordination,
      },
      instance: { id },
      web: { port: 0 },
    };
  }
}

/** Looks each 20 ms until `holds`; throws after `limitMs`. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
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
