/** `quantmesh db`: killed again and again it brings every row; and what a user can get wrong is said in one message. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { TableComparison } from "../../src/storage/copy/verify-databases.ts";
import { SCHEMA_VERSION } from "../../src/storage/migrations/migrate.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import { makeSampleDatabase, rowsOf } from "../support/copy-samples.ts";
import { IS_FULL, freshSeed, scaled, seededRandom } from "../support/scale.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { describeWithServers } from "../support/servers/private-server.ts";

/** Of orders, and of trades. */
const ROWS = 60_000;
const NEWEST = SCHEMA_VERSION;
const COPY = ["db", "copy", "--from", "source.db", "--to"] as const;
const FAILED = 1;
const WRONG = 2;
const SECRET = "s3cret-word";
/** What a kill is that comes too late; on a slow machine there are some of them before one comes in time. */
const TOO_LATE = "only after its end";
const MOST_TARGETS = 20;

const seed = freshSeed();
let cwd: string;
beforeAll(async () => {
  console.log(`copy seed ${seed}`);
  cwd = mkdtempSync(join(tmpdir(), "quantmesh-copy-e2e-"));
  await makeSampleDatabase(join(cwd, "source.db"), seed, { bots: 5, orders: ROWS, trades: ROWS });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
afterEach(endCommands);

interface JsonReport {
  readonly copySeconds: number;
  readonly verifySeconds: number;
  readonly isEqual: boolean;
  readonly tables: readonly TableComparison[];
}

describeWithServers(["postgres"], "quantmesh db with a server", () => {
  let postgres: DatabaseServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  it("copy, killed at random moments and resumed, brings every row once", async () => {
    const random = seededRandom(seed);
    const first = await runCommand(
      ["db", "copy", "--from", "source.db", "--to", await postgres.createDatabase(), "--json"],
      { cwd },
    );
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const whole = JSON.parse(first.stdout) as JsonReport;
    const wholeMs = (whole.copySeconds + whole.verifySeconds) * 1000;
    const stages = new Map<string, number>();
    const killed = async (dsn: string, moment: (dsn: string) => Promise<void>): Promise<void> => {
      const command = startCommand([...COPY, dsn, "--resume"], { cwd });
      const { signal } = await Promise.race([
        moment(dsn).then(() => {
          command.kill("SIGKILL");
          return command.ended;
        }),
        command.ended,
      ]);
      const stage = signal === "SIGKILL" ? await stageOf(dsn) : TOO_LATE;
      stages.set(stage, (stages.get(stage) ?? 0) + 1);
    };
    const afterRows = (dsn: string): Promise<void> => rowsLoaded(dsn, random() * 2 * ROWS);
    const afterTime = async (dsn: string): Promise<void> => {
      await copyBegins(dsn);
      await delay(random() * wholeMs);
    };
    const isStruck = (): boolean => [...stages.keys()].some((stage) => stage !== TOO_LATE);
    for (let target = 0; target < scaled(20) || (!isStruck() && target < MOST_TARGETS); target++) {
      const dsn = await postgres.createDatabase();

      await killed(dsn, target % 3 === 2 ? afterTime : afterRows);
      if (random() < 0.5) await killed(dsn, afterTime);
      const end = await runCommand([...COPY, dsn, "--resume", "--json"], { cwd });

      // Where the kill came too late the copy is finished: it is a database with rows then, and refused.
      if (end.code !== WRONG) {
        expect(end).toMatchObject({ code: 0, stderr: "" });
        expect((JSON.parse(end.stdout) as JsonReport).isEqual).toBe(true);
      }
      const verified = await runCommand(["db", "verify", "--from", "source.db", "--to", dsn], { cwd });
      expect(verified).toMatchObject({ code: 0, stderr: "" });
      expect(verified.stdout).toMatch(/\nequal\n$/);
      await postgres.dropDatabase(dsn);
    }
    console.log(`killed: ${[...stages].map(([stage, count]) => `${stage} ${count}`).join(", ")}`);
    expect(isStruck()).toBe(true);
    if (IS_FULL) expect(stages.get("amid the rows")).toBeGreaterThan(0);
  });

  it("verify ends with exit code 1 where a row is another", async () => {
    const dsn = await postgres.createDatabase();
    expect((await runCommand(["migrate", "--from", "source.db", "--to", dsn], { cwd })).code).toBe(0);
    // Towards zero: the sample has the largest number that a column takes, too.
    await postgres.run(
      ["update orders set price = price - sign(price + 0.1) * 0.000000000000000001 where slot = 77"],
      dsn,
    );

    const end = await runCommand(["db", "verify", "--from", "source.db", "--to", dsn], { cwd });

    expect(end).toMatchObject({ code: FAILED, stderr: "" });
    expect(end.stdout).toMatch(/^orders .* DIFFERENT$/m);
    expect(end.stdout.match(/DIFFERENT/g)).toHaveLength(1);
    expect(end.stdout).toMatch(/\nthe databases differ\n$/);
  });

  it("refuses a wrong password, a missing database and a login without rights, naming host and database only", async () => {
    const dsn = await postgres.createDatabase();
    const login = { user: "reader", password: SECRET };
    await postgres.run([`create role reader login password '${SECRET}'`]);
    const database = new URL(dsn).pathname.slice(1);
    const place = `postgres database "${database}" on 127.0.0.1:${postgres.port}`;
    const cases = [
      [
        postgres.dsn(database, { ...login, password: `${SECRET}-2` }),
        `${place} refuses user "reader": password`,
        WRONG,
      ],
      [
        postgres.dsn("none", login),
        `on 127.0.0.1:${postgres.port} refuses user "reader": database "none"`,
        WRONG,
      ],
      [postgres.dsn(database, login), `${place}: the login may not create the tables`, WRONG],
      [`postgres://reader:${SECRET}@127.0.0.1:1/x`, 'postgres database "x" on 127.0.0.1:1', FAILED],
    ] as const;
    for (const [to, says, code] of cases) {
      const end = await runCommand(["db", "copy", "--from", "source.db", "--to", to], { cwd });

      expect(end.stderr).toContain(says);
      expectRefused(end, code);
    }
  });

  /** Resolves once a copy is connected to the database. */
  async function copyBegins(dsn: string): Promise<void> {
    const client = await connect(dsn);
    const sql =
      "select 1 from pg_stat_activity where application_name = 'quantmesh copy' and datname = current_database()";
    try {
      const deadline = performance.now() + 30_000;
      while ((await client.query(sql)).rowCount === 0) {
        if (performance.now() > deadline) throw new Error("no copy has begun within 30 s");
      }
    } finally {
      await client.end();
    }
  }

  async function connect(dsn: string): Promise<pg.Client> {
    const client = new pg.Client(dsn);
    // A database that is dropped takes its connections along.
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** Resolves once so many rows are durable in the target. */
  async function rowsLoaded(dsn: string, rows: number): Promise<void> {
    await copyBegins(dsn);
    const client = await connect(dsn);
    try {
      const deadline = performance.now() + 30_000;
      while ((await loadedRows(client)) < rows && performance.now() < deadline) await turn();
    } finally {
      await client.end();
    }
  }

  /** How far a killed copy has come. */
  async function stageOf(dsn: string): Promise<string> {
    const client = await connect(dsn);
    try {
      const loaded = await loadedRows(client);
      if (loaded === 0) return "before the first rows";
      return loaded < 2 * ROWS ? "amid the rows" : "after the rows";
    } finally {
      await client.end();
    }
  }

  async function loadedRows(client: pg.Client): Promise<number> {
    try {
      const { rows } = await client.query<{ value: string }>(
        "select value from unfinished_copy where name in ('orders', 'trades')",
      );
      return rows.reduce((sum, { value }) => sum + Number(value), 0);
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === "42P01") return 0;
      throw error;
    }
  }
});

describe("quantmesh db", () => {
  it("backs up, restores, shows and takes back a database", async () => {
    const quantmesh = async (line: string): Promise<string> => {
      const end = await runCommand(["db", ...line.split(" ")], { cwd });
      expect(end).toMatchObject({ code: 0, stderr: "" });
      return end.stdout;
    };

    expect(await quantmesh("backup saved.bak --dsn source.db")).toMatch(
      /^source\.db → saved\.bak: \d+ bytes\n$/,
    );
    expect(await quantmesh("restore saved.bak --dsn restored.db")).toBe(
      "saved.bak → restored.db: restored\n",
    );
    expect(await quantmesh("status --dsn restored.db")).toMatch(
      new RegExp(`^restored\\.db: schema version ${NEWEST} of ${NEWEST}\n[^]*orders +60000\n`),
    );
    expect(await quantmesh("upgrade --dsn restored.db")).toBe(
      `restored.db: schema version ${NEWEST}, nothing to do\n`,
    );
    expect(rowsOf(join(cwd, "restored.db"))).toEqual(rowsOf(join(cwd, "source.db")));
    expect(await quantmesh("rollback --to 0 --force --dsn restored.db")).toBe(
      `restored.db: schema version ${NEWEST} → 0\n`,
    );
    expect(await quantmesh("upgrade --dsn restored.db")).toBe(`restored.db: schema version 0 → ${NEWEST}\n`);
    expect(JSON.parse(await quantmesh("status --json --dsn restored.db"))).toMatchObject({
      version: NEWEST,
      isUnfinishedCopy: false,
      rows: { orders: 0 },
    });
    expect(await quantmesh("copy --dry-run --from saved.bak --to restored.db")).toMatch(
      /^would copy saved\.bak → restored\.db\n[^]*trades +60000\n/,
    );
  });

  it.each([
    [
      "copy without a target",
      "db copy --from source.db",
      WRONG,
      /^error: required option '--to <database>' not specified/,
    ],
    [
      "copy of a file that is not there",
      "db copy --from none.db --to new.db",
      WRONG,
      /^quantmesh: there is no database at none\.db$/,
    ],
    [
      "copy to itself",
      "db copy --from source.db --to ./source.db",
      WRONG,
      /^quantmesh: --from and --to are both source\.db/,
    ],
    [
      "an empty address",
      "db verify --from source.db --to ",
      WRONG,
      /^quantmesh: --to is empty: give a database$/,
    ],
    [
      "an unknown kind of database",
      `db copy --from source.db --to oracle://me:${SECRET}@host/db`,
      WRONG,
      /^quantmesh: --to: "oracle:\/\/" is no known kind/,
    ],
    [
      "an address without a database",
      `db copy --from source.db --to postgres://me:${SECRET}@host`,
      WRONG,
      /^quantmesh: --to: the name of the database is missing$/,
    ],
    [
      "an unknown option of an address",
      `db copy --from source.db --to postgres://me:${SECRET}@host/db?speed=9`,
      WRONG,
      /^quantmesh: --to: "speed" is not an option/,
    ],
    [
      "a config file that is not there",
      "db status -c none.yaml",
      WRONG,
      /^quantmesh: cannot read config none\.yaml: no such file$/,
    ],
    [
      "no database",
      "db status",
      WRONG,
      /^quantmesh: which database\? give either --dsn or the config file with -c$/,
    ],
    [
      "status of a file that is not there",
      "db status --dsn none.db",
      WRONG,
      /^quantmesh: there is no database at none\.db$/,
    ],
    [
      "upgrade of a file that is not there",
      "db upgrade --dsn none.db",
      WRONG,
      /^quantmesh: there is no database at none\.db$/,
    ],
    [
      "a file that is no database",
      "db verify --from source.db --to words.txt",
      FAILED,
      /^quantmesh: storage words\.txt: file is not a database; name the file of an SQLite database$/,
    ],
    [
      "rollback of a database with rows",
      "db rollback --dsn source.db",
      WRONG,
      /^quantmesh: source\.db is not empty, .*make a backup/,
    ],
    [
      "rollback to a version to come",
      "db rollback --to 9 --dsn source.db",
      WRONG,
      /^quantmesh: source\.db has schema version \d+: there is nothing to take back/,
    ],
    [
      "rollback to no version",
      "db rollback --to first --dsn source.db",
      WRONG,
      /^error: option '--to <version>' argument 'first' is invalid/,
    ],
    [
      "a newer schema",
      "db copy --from newer.db --to new.db",
      WRONG,
      /^quantmesh: newer\.db has schema version 9000, this quantmesh knows versions up to \d+: use the newer/,
    ],
    [
      "restore of what is no backup",
      "db restore words.txt --dsn new.db",
      FAILED,
      /^quantmesh: words\.txt is damaged, not complete, or no backup/,
    ],
    [
      "backup in the place of a file",
      "db backup words.txt --dsn source.db",
      WRONG,
      /^quantmesh: words\.txt is there already/,
    ],
  ])("refuses %s", async (_, line, code, says) => {
    writeFileSync(join(cwd, "words.txt"), "no database, but words\n".repeat(50));
    makeNewer();
    const before = readdirSync(cwd).filter((name) => !name.endsWith(".lock"));

    const end = await runCommand(line.split(" "), { cwd });

    expect(end.stderr.trimEnd()).toMatch(says);
    expectRefused(end, code);
    expect(readdirSync(cwd).filter((name) => !name.endsWith(".lock"))).toEqual(before);
    expect(readFileSync(join(cwd, "words.txt"), "utf8")).toMatch(/^no database/);
  });

  /** A database that the next version of quantmesh has upgraded. */
  function makeNewer(): void {
    const database = new Database(join(cwd, "newer.db"));
    database.exec(
      "create table if not exists migrations (name varchar(255) primary key, timestamp varchar(255))",
    );
    database.exec("insert or ignore into migrations values ('9000-next', '')");
    database.close();
  }
});

/** One message, the exit code, and no password. */
function expectRefused(
  end: { readonly code: number | null; readonly stdout: string; readonly stderr: string },
  code: number,
): void {
  expect(end).toMatchObject({ code, stdout: "" });
  expect(end.stderr.match(/^(quantmesh|error): /gm)).toHaveLength(1);
  expect(end.stderr).not.toMatch(/^\s+at |node:internal|internal error/m);
  expect(end.stderr).not.toContain(SECRET);
}
