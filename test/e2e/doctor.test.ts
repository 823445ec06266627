/** `quantmesh doctor` on real servers: a good fleet has no fault, and each planted mistake is found with its remedy. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { openDatabase } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import { SCHEMA_VERSION, migrateTo } from "../../src/storage/migrations/migrate.ts";
import type { CommandEnd } from "../support/command.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startEtcd } from "../support/servers/etcd.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { describeWithServers, freePort } from "../support/servers/private-server.ts";
import { aged, startRedis } from "../support/servers/redis.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import {
  READ_ONLY_KEY,
  VENUE_KEY,
  WITHDRAW_KEY,
  startVenueProcess,
  venueTestConfig,
} from "../support/venue-process.ts";

const CONFIG = "instance.json";
const FLEET_SECRET = "canary-of-the-whole-fleet";
/** Slow machines are no fault of the installation. */
const PATIENCE = ["--timeout", "30"];
const TTL_SECONDS = 3;

interface Row {
  readonly check: string;
  readonly level: "ok" | "warn" | "fault";
  readonly says: string;
  readonly remedy?: string;
}

type Section = Readonly<Record<string, unknown>>;

/** A mistake, and the fault that must be found. */
type Planted = readonly [
  what: string,
  check: string,
  says: RegExp,
  remedy: RegExp,
  plant: () => Promise<Section> | Section,
  undo?: () => Promise<unknown>,
];

const ALL = ["postgres", "mariadbd", "redis-server", "etcd"] as const;
describeWithServers(ALL, "quantmesh doctor", () => {
  let postgres: DatabaseServer;
  let mariadb: DatabaseServer;
  let redis: PrivateServer;
  let other: PrivateServer;
  let etcd: PrivateServer;
  let slowEtcd: PrivateServer;
  let venue: VenueProcess;
  let dsn = "";
  let cwd = "";

  beforeAll(async () => {
    const { keys_list: keys, symbols } = venueTestConfig() as {
      readonly keys_list: readonly Section[];
      readonly symbols: Readonly<Record<string, Section>>;
    };
    const [trading, ...rest] = keys;
    const small = { ...symbols["BTC/USDT"], max_open_orders: "3" };
    venue = await startVenueProcess({
      keys_list: [{ ...trading, allowed_ips: ["127.0.0.1"] }, ...rest],
      symbols: { ...symbols, "SMALL/USDT": small },
    });
    postgres = await startPostgres({ isDurable: true });
    mariadb = await startMariadb({ isDurable: true });
    redis = await startRedis();
    other = await startRedis();
    [etcd, slowEtcd] = (
      await Promise.all([startEtcd(), startEtcd(1, { more: ["--election-timeout", "10000"] })])
    ).flat() as [PrivateServer, PrivateServer];
    dsn = await postgres.createDatabase();
    await aged(redis, TTL_SECONDS * 1000);
    await aged(other, TTL_SECONDS * 1000);
  });
  afterAll(async () => {
    for (const server of [postgres, mariadb, redis, other, etcd, slowEtcd, venue.server]) await server.stop();
  });
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "quantmesh-doctor-"));
    writeKeys(VENUE_KEY);
  });
  afterEach(async () => {
    await endCommands();
    rmSync(cwd, { recursive: true, force: true });
  });

  function writeKeys({ apiKey, secret }: { readonly apiKey: string; readonly secret: string }): void {
    writeFileSync(join(cwd, "keys"), `api_key=${apiKey}\nsecret_key=${secret}\n`, { mode: 0o600 });
  }
  const redisAt = (...servers: readonly PrivateServer[]): readonly string[] =>
    servers.map(({ port }) => `127.0.0.1:${port}`);
  const lockAt = (section: Section): Section => ({ type: "redis", default_ttl: TTL_SECONDS, redis: section });
  const grid = (changes: Section = {}): Section => ({
    symbol: "BTC/USDT",
    lower: "59000",
    upper: "61000",
    grids: "4",
    order_quantity: "100",
    ...changes,
  });

  /** An instance of a fleet as it should be, with whole sections replaced. */
  function fleetConfig(changes: Section = {}, exchange: Section = {}): Section {
    const urls = { rest: venue.url, ws: venue.wsUrl };
    return {
      app: { current_exchange: "binance" },
      exchanges: { binance: { mode: "live", key_file: "keys", urls, ...exchange } },
      trading: { symbols: [grid()] },
      database: { type: "postgres", dsn },
      distributed_lock: lockAt({ addr: redisAt(redis)[0] }),
      coordination: coordination([etcd]),
      instance: { id: "one" },
      web: { enabled: false },
      ...changes,
    };
  }
  const coordination = (members: readonly PrivateServer[]): Section => ({
    mode: "dynamic",
    fleet: `doctor-${cwd.slice(-6)}`,
    etcd: { hosts: members.map(({ port }) => `http://127.0.0.1:${port}`) },
    listen: "127.0.0.1:0",
    secret: FLEET_SECRET,
  });
  /** One process on the simulated market: for what has nothing to do with exchanges and fleets. */
  const soloConfig = (changes: Section = {}): Section => ({
    exchanges: {
      sim: {
        balances: { USDT: "10000" },
        symbols: {
          "BTC/USDT": {
            tick_size: "0.01",
            lot_size: "0.00001",
            market: { type: "walk", seed: "1", start_price: "60000", step: "10" },
          },
        },
      },
    },
    trading: { symbols: [grid()] },
    database: { type: "postgres", dsn },
    web: { enabled: false },
    ...changes,
  });

  function write(config: Section): void {
    writeFileSync(join(cwd, CONFIG), JSON.stringify(config), { mode: 0o600 });
  }
  async function diagnose(
    config: Section,
    patience: readonly string[] = PATIENCE,
  ): Promise<{ readonly end: CommandEnd; readonly rows: readonly Row[]; readonly faults: readonly Row[] }> {
    write(config);
    const end = await runCommand(["doctor", "-c", CONFIG, "--json", ...patience], { cwd });
    expect(end.stderr).toBe("");
    const { findings: rows } = JSON.parse(end.stdout) as { readonly findings: readonly Row[] };
    const faults = rows.filter(({ level }) => level === "fault");
    expect(end.code).toBe(faults.length > 0 ? 1 : 0);
    return { end, rows, faults };
  }
  /** Exactly one fault, of this check, whose words and remedy say this. */
  async function expectFault(config: Section, check: string, says: RegExp, remedy: RegExp): Promise<void> {
    const { faults, end } = await diagnose(config);
    expect(faults).toEqual([
      { check, level: "fault", says: expect.stringMatching(says), remedy: expect.stringMatching(remedy) },
    ]);
    expect(end.stdout).not.toContain(FLEET_SECRET);
  }

  it("finds no fault in a good fleet, before its first start and while it runs, and changes nothing", async () => {
    const before = await diagnose(fleetConfig());
    expect(before.faults).toEqual([]);
    expect(before.end.code).toBe(0);
    expect(before.rows.filter(({ level }) => level === "ok").map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        "config",
        "database.durability",
        "database.isolation",
        "database.schema",
        "database.connections",
        "redis.eviction",
        "redis.role",
        "etcd.lease",
        "etcd.alarms",
        "fleet",
        "exchange.clock",
        "exchange.key",
        "exchange.balance",
        "grid",
      ]),
    );
    expect(readdirSync(cwd).toSorted()).toEqual([CONFIG, "keys"]);

    const instance = startCommand(["run", "-c", CONFIG], { cwd });
    await instance.line(({ event }) => event === "instance.started");
    const during = await runCommand(["doctor", "-c", CONFIG, ...PATIENCE], { cwd });
    await instance.interrupt();

    expect(during).toMatchObject({ code: 0, stderr: "" });
    expect(during.stdout).toMatch(/^✓ database\.schema +version \d+$/m);
    expect(during.stdout).toMatch(/^✓ fleet +1 active, 0 standby, config version 1$/m);
    expect(during.stdout).toMatch(/\n0 faults, \d+ warnings?, \d+ checks\n$/);
    for (const secret of [FLEET_SECRET, VENUE_KEY.secret, new URL(dsn).password])
      expect(during.stdout).not.toContain(secret);
  });

  it("hears the other instances as an instance would, and finds that one has another secret", async () => {
    const own = coordination([etcd]);
    write(fleetConfig({ coordination: own }));
    const running = startCommand(["run", "-c", CONFIG], { cwd });
    await running.line(({ event }) => event === "instance.started");
    const second = { instance: { id: "two" } };

    const alike = await diagnose(fleetConfig({ ...second, coordination: own }));
    const stranger = { ...own, secret: "another secret of sixteen" };
    const different = await diagnose(fleetConfig({ ...second, coordination: stranger }));
    await running.interrupt();

    expect(alike.rows.filter(({ check }) => check === "fleet.peers")).toMatchObject([{ level: "ok" }]);
    expect(alike.faults).toEqual([]);
    expect(different.faults).toMatchObject([
      { check: "fleet.peers", remedy: expect.stringMatching(/^set coordination\.secret to the same/) },
    ]);
  });

  it("exits 2 where the config cannot be read, and says nothing else", async () => {
    writeFileSync(join(cwd, CONFIG), '{"trading": {}}');
    const wrong = await runCommand(["doctor", "-c", CONFIG], { cwd });
    const missing = await runCommand(["doctor", "-c", "missing.yaml"], { cwd });
    expect([wrong.code, missing.code]).toEqual([2, 2]);
    expect(wrong.stdout + missing.stdout).toBe("");
    expect(wrong.stderr).toContain("trading.symbols: is required");
    expect(missing.stderr).toContain("cannot read config missing.yaml: no such file");
  });

  it("shows each fault with its remedy below, for people", async () => {
    write(soloConfig({ database: { spool_file: `${CONFIG}/spool` } }));
    const end = await runCommand(["doctor", "-c", CONFIG, ...PATIENCE], { cwd });
    expect(end).toMatchObject({ code: 1, stderr: "" });
    expect(end.stdout).toMatch(
      /^✗ disk +spool instance\.json\/spool: cannot be written .*\n +→ set database\.spool_file /m,
    );
    expect(end.stdout).toMatch(/\n1 fault, \d+ warnings?, \d+ checks\n$/);
  });

  it("finds every fault at once, and one server that hangs hides no other", async () => {
    other.signal("SIGSTOP");
    try {
      const { faults, rows } = await diagnose(
        soloConfig({
          database: { type: "postgres", dsn, spool_file: `${CONFIG}/spool` },
          distributed_lock: lockAt({ addr: redisAt(other)[0] }),
        }),
        ["--timeout", "5"],
      );
      expect(faults.map(({ check }) => check)).toEqual(["disk", "redis.reach"]);
      expect(rows.find(({ check }) => check === "database.durability")?.level).toBe("ok");
    } finally {
      other.signal("SIGCONT");
    }
  });

  const planted: readonly Planted[] = [
    [
      "a key file that others may read",
      "exchange.key",
      /others may read keys/,
      /^chmod 600 keys/,
      () => {
        chmodSync(join(cwd, "keys"), 0o644);
        return fleetConfig();
      },
    ],
    [
      "a key that may withdraw",
      "exchange.key",
      /may withdraw/,
      /take the permission to withdraw.*allow_withdrawal_key/,
      () => {
        writeKeys(WITHDRAW_KEY);
        return fleetConfig();
      },
    ],
    [
      "a key that may not trade",
      "exchange.key",
      /may not trade/,
      /allow the key spot trading/,
      () => {
        writeKeys(READ_ONLY_KEY);
        return fleetConfig();
      },
    ],
    [
      "a key that the exchange refuses",
      "exchange.key",
      /keyRights: HTTP 4\d\d -\d+/,
      /correct api_key and secret_key/,
      () => {
        writeKeys({ apiKey: "nobody", secret: "canary" });
        return fleetConfig();
      },
    ],
    [
      "no key in mode live",
      "exchange.key",
      /mode live needs a key/,
      /exchanges\.binance\.key_file.*BINANCE_API_KEY/,
      () => fleetConfig({}, { key_file: undefined }),
    ],
    [
      "a symbol that the exchange has not",
      "grid",
      /XYZ\/USDT: binance has no symbol XYZ\/USDT/,
      /trading\.symbols\[1\]/,
      () => fleetConfig({ trading: { symbols: [grid(), grid({ symbol: "XYZ/USDT" })] } }),
    ],
    [
      "a grid whose orders are below the smallest",
      "grid",
      /BTC\/USDT: .*\b5\b/,
      /trading\.symbols\[0\].*quantmesh plan/,
      () => fleetConfig({ trading: { symbols: [grid({ order_quantity: "1" })] } }),
    ],
    [
      "a grid finer than the tick",
      "grid",
      /BTC\/USDT: .*0\.001/,
      /trading\.symbols\[0\]/,
      () =>
        fleetConfig({
          trading: {
            symbols: [
              {
                symbol: "BTC/USDT",
                lattice: "window",
                price_interval: "0.001",
                order_quantity: "100",
                buy_window_size: "5",
              },
            ],
          },
        }),
    ],
    [
      "more comparisons than the request limit allows",
      "exchange.limits",
      /comparisons of 1 symbol cost 2940 of 2800 weight a minute/,
      /raise trading\.reconcile_interval to 2 seconds/,
      () =>
        fleetConfig(
          { trading: { reconcile_interval: "1", symbols: [grid()] } },
          { limits: { weight_per_minute: "4000" }, maker_fee: "0.001", taker_fee: "0.001" },
        ),
    ],
    [
      "more orders than the exchange lets rest",
      "exchange.limits",
      /SMALL\/USDT: up to 4 orders rest, and the exchange takes 3/,
      /set order_cleanup_threshold to 3 or less for SMALL\/USDT/,
      () => fleetConfig({ trading: { symbols: [grid({ symbol: "SMALL/USDT" })] } }),
    ],
    [
      "a clock that is 10 s off",
      "exchange.clock",
      /^(9|10)\d\d\d ms ahead of this computer's/,
      /synchronize this computer's clock/,
      async () => {
        await venue.admin.setClockOffset(10_000);
        return fleetConfig();
      },
      () => venue.admin.setClockOffset(0),
    ],
    [
      "an exchange that does not answer",
      "exchange.reach",
      /binance: markets: NetworkError/,
      /see that this computer reaches http:\/\/127\.0\.0\.1:9/,
      () => fleetConfig({}, { urls: { rest: "http://127.0.0.1:9", ws: "ws://127.0.0.1:9" } }),
    ],
    [
      "a spool in a folder that is none",
      "disk",
      /spool instance\.json\/spool: cannot be written/,
      /^set database\.spool_file /,
      () => soloConfig({ database: { type: "postgres", dsn, spool_file: `${CONFIG}/spool` } }),
    ],
    [
      "synchronous_commit off for the database",
      "database.durability",
      /synchronous_commit is off/,
      /set synchronous_commit = on/,
      async () => withDatabase(`set synchronous_commit = off`),
    ],
    [
      "another default isolation for the database",
      "database.isolation",
      /default_transaction_isolation is serializable/,
      /set default_transaction_isolation = 'read committed'/,
      async () => withDatabase(`set default_transaction_isolation = 'serializable'`),
    ],
    [
      "more connections in the pool than the server has",
      "database.connections",
      /need more than there are: 1 × 1000 of 57/,
      /max_connections to 1013, or lower database\.max_open_conns to 57/,
      () => soloConfig({ database: { type: "postgres", dsn, max_open_conns: "1000" } }),
    ],
    [
      "a wrong password",
      "database.reach",
      /refuses user "postgres"/,
      /correct user, password and database name in database\.dsn/,
      () => soloConfig({ database: { type: "postgres", dsn: dsn.replace("admin-secret", FLEET_SECRET) } }),
    ],
    [
      "tables that are older than the program",
      "database.schema",
      new RegExp(`older: version ${SCHEMA_VERSION - 1}, this quantmesh has ${SCHEMA_VERSION}`),
      /quantmesh db backup.*quantmesh db upgrade/,
      async () => {
        const file = join(cwd, "old.db");
        const database = await openDatabase(parseDsn(file));
        await migrateTo(database, SCHEMA_VERSION - 1);
        await database.close();
        return soloConfig({ database: { dsn: "old.db" } });
      },
    ],
    [
      "MariaDB that does not wait for the disk",
      "database.durability",
      /innodb_flush_log_at_trx_commit is 2/,
      /set innodb_flush_log_at_trx_commit = 1/,
      async () => {
        await mariadb.run(["set global innodb_flush_log_at_trx_commit = 2"]);
        return soloConfig({ database: { type: "mysql", dsn: await mariadb.createDatabase() } });
      },
      () => mariadb.run(["set global innodb_flush_log_at_trx_commit = 1"]),
    ],
    [
      "a Redis that may drop locks",
      "redis.eviction",
      /maxmemory-policy allkeys-lru with maxmemory/,
      /set maxmemory-policy noeviction/,
      async () => {
        await tell(redis, "config", "set", "maxmemory", "64mb");
        await tell(redis, "config", "set", "maxmemory-policy", "allkeys-lru");
        return soloConfig({ distributed_lock: lockAt({ addr: redisAt(redis)[0] }) });
      },
      async () => {
        await tell(redis, "config", "set", "maxmemory-policy", "noeviction");
        await tell(redis, "config", "set", "maxmemory", "0");
      },
    ],
    [
      "a Redis that is a replica",
      "redis.role",
      /it is a replica/,
      /name 127\.0\.0\.1:\d+ in distributed_lock\.redis/,
      async () => {
        await tell(other, "replicaof", "127.0.0.1", String(redis.port));
        return soloConfig({ distributed_lock: lockAt({ addr: redisAt(other)[0] }) });
      },
      () => tell(other, "replicaof", "no", "one"),
    ],
    [
      "a Redis that is not there",
      "redis.reach",
      /127\.0\.0\.1:9: connect ECONNREFUSED/,
      /start the server, or correct its host and port in distributed_lock\.redis/,
      () => soloConfig({ distributed_lock: lockAt({ addr: "127.0.0.1:9" }) }),
    ],
    [
      "an even number of servers for a majority",
      "redis.quorum",
      /2 servers: an even number/,
      /three or five independent servers in distributed_lock\.redis\.nodes/,
      () => soloConfig({ distributed_lock: lockAt({ nodes: redisAt(redis, other) }) }),
    ],
    [
      "one server under two names",
      "redis.quorum",
      /are one and the same server/,
      /list different servers/,
      () => {
        const [address = ""] = redisAt(redis);
        const aliases = [address, address.replace("127.0.0.1", "localhost"), redisAt(other)[0]];
        return soloConfig({ distributed_lock: lockAt({ nodes: aliases }) });
      },
    ],
    [
      "locks that are shorter than a request",
      "config",
      /default_ttl: 1 s is less than three times/,
      /set distributed_lock\.default_ttl/,
      () => fleetConfig({ distributed_lock: { type: "database", default_ttl: "1" } }),
    ],
    [
      "an etcd whose shortest lease is longer than the fleet's",
      "etcd.lease",
      /a lease of 10 s is granted for 15 s/,
      /set coordination\.lease_ttl to 15 .*--election-timeout/,
      () => fleetConfig({ coordination: coordination([slowEtcd]) }),
    ],
    [
      "members of two clusters",
      "etcd.members",
      /are of different clusters/,
      /list the members of one cluster only in coordination\.etcd\.hosts/,
      () => fleetConfig({ coordination: coordination([etcd, slowEtcd]) }),
    ],
    [
      "an etcd that has no room left",
      "etcd.alarms",
      /NOSPACE: etcd takes no writes/,
      /etcdctl alarm disarm/,
      async () => {
        await alarm(etcd, "Activate");
        return fleetConfig();
      },
      () => alarm(etcd, "Deactivate"),
    ],
    [
      "an address that is none for the others",
      "fleet",
      /the others would be told 0\.0\.0\.0:0/,
      /set coordination\.advertise/,
      () => fleetConfig({ coordination: { ...coordination([etcd]), listen: "0.0.0.0:0" } }),
    ],
  ];

  for (const [what, check, says, remedy, plant, undo] of planted) {
    it(`finds ${what}, exits 1 and says what to do`, async () => {
      try {
        await expectFault(await plant(), check, says, remedy);
      } finally {
        await undo?.();
      }
    });
  }

  it("finds that a server of PostgreSQL does not wait for the disk at all", async () => {
    const careless = await startPostgres();
    try {
      const config = soloConfig({ database: { type: "postgres", dsn: await careless.createDatabase() } });
      const { faults } = await diagnose(config);
      expect(faults.map(({ check }) => check)).toEqual(["database.durability", "database.durability"]);
      expect(faults[0]).toMatchObject({
        says: expect.stringMatching(/^fsync is off/),
        remedy: expect.stringMatching(/^set fsync = on/),
      });
    } finally {
      await careless.stop();
    }
  });

  it("finds that another program has the port", async () => {
    const port = await freePort();
    const program = createServer((socket) => socket.end()).listen(port, "127.0.0.1");
    await once(program, "listening");
    try {
      const taken = soloConfig({ web: { port: String(port) } });
      await expectFault(taken, "ports", /another program listens there/, /set web\.port to another port/);
    } finally {
      program.close();
    }
  });

  it("makes no database file and no folder for one that is not there yet", async () => {
    const { faults } = await diagnose(soloConfig({ database: { dsn: "deep/down/new.db" } }));
    expect(faults).toEqual([]);
    expect(existsSync(join(cwd, "deep"))).toBe(false);
  });

  /** A new database with a setting of its own. */
  async function withDatabase(setting: string): Promise<Section> {
    const address = await postgres.createDatabase();
    await postgres.run([`alter database ${new URL(address).pathname.slice(1)} ${setting}`]);
    return soloConfig({ database: { type: "postgres", dsn: address } });
  }
});

async function tell({ port }: PrivateServer, command: string, ...args: readonly string[]): Promise<void> {
  const client = new Redis(port, "127.0.0.1");
  try {
    await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

async function alarm({ port }: PrivateServer, action: "Activate" | "Deactivate"): Promise<void> {
  const client = new Etcd3({ hosts: `http://127.0.0.1:${port}` });
  try {
    const { members } = await client.cluster.memberList({});
    await client.maintenance.alarm({ action, memberID: members[0]?.ID ?? "0", alarm: "Nospace" });
  } finally {
    client.close();
  }
}
