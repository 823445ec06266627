/** `quantmesh run` on a database server, and what it says where the server cannot be used. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { formatMoney, parseMoney } from "../../src/domain/amounts.ts";
import type { Money } from "../../src/domain/amounts.ts";
import type { LogLine } from "../support/command.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import { CONFIG, configFolder, defaultConfig, removeFolder } from "../support/default-config.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { ServerProgram } from "../support/servers/private-server.ts";
import { describeWithServers, freePort } from "../support/servers/private-server.ts";

const FAILED = 1;
const WRONG = 2;
const RUN = ["run", "-c", CONFIG];
const SHIPPED = "type: sqlite\n  dsn: ./data/quantmesh.db";
const isStarted = ({ event }: LogLine): boolean => event === "instance.started";
const isFill = ({ event }: LogLine): boolean => event === "order.filled";

const folders: string[] = [];
afterEach(async () => {
  await endCommands();
  for (const folder of folders.splice(0)) removeFolder(folder);
});

/** A folder with the shipped config, ten times as fast, on another database. */
function folderFor(type: string, dsn: string): string {
  const database = `type: ${type}\n  dsn: "${dsn}"`;
  const folder = configFolder(defaultConfig({ [SHIPPED]: database, "step_ms: 200": "step_ms: 20" }));
  folders.push(folder);
  return folder;
}

interface Refusal {
  readonly name: string;
  /** The address that goes wrong, made from a good one. */
  readonly address: (good: string, server: DatabaseServer) => Promise<string>;
  readonly code: number;
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  {
    name: "a wrong password",
    address: async (good) => good.replace("admin-secret", "canary"),
    code: WRONG,
    says: /^quantmesh: database\.dsn: \w+ database "quantmesh_\d+" on 127\.0\.0\.1:\d+ refuses user "\w+": .*(password|Access denied).*$/,
  },
  {
    name: "a database that is not there",
    address: async (good) => good.replace(/\w+$/, "nowhere"),
    code: WRONG,
    says: /^quantmesh: database\.dsn: \w+ database "nowhere" on 127\.0\.0\.1:\d+ refuses user "\w+": .*(does not exist|Unknown database).*$/,
  },
  {
    name: "a host where nobody listens",
    address: async (good) => good.replace(/:\d+\//, `:${await freePort()}/`),
    code: FAILED,
    says: /^quantmesh: storage \w+ database "quantmesh_\d+" on 127\.0\.0\.1:\d+: cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED.*$/,
  },
  {
    name: "a login that may not create tables",
    address: async (good, server) => {
      const { protocol, pathname } = new URL(good);
      const database = pathname.slice(1);
      await server.run(protocol === "mysql:" ? mysqlGuest(database) : POSTGRES_GUEST, good);
      return server.dsn(database, { user: "guest", password: "canary" });
    },
    code: WRONG,
    says: /^quantmesh: storage \w+ database "quantmesh_\d+" on 127\.0\.0\.1:\d+: the login may not create the tables \(.*denied.*\): grant it that right, or run `quantmesh db upgrade` as one that has it$/,
  },
  {
    name: "an option that asks for what there is not",
    address: async (good) => `${good}?sslmodus=require`,
    code: WRONG,
    says: /^quantmesh: database\.dsn: "sslmodus" is not an option of (postgres|mysql); known: /,
  },
  {
    name: "a schema of a newer version",
    address: async (good, server) => {
      await server.run(
        [
          "create table migrations (name varchar(255), timestamp varchar(255))",
          "insert into migrations values ('0099-later', '2030-01-01')",
        ],
        good,
      );
      return good;
    },
    code: WRONG,
    says: /^quantmesh: storage \w+ database "quantmesh_\d+" on 127\.0\.0\.1:\d+ has schema version 99, this quantmesh knows versions up to \d+: run the newer quantmesh that wrote it$/,
  },
];

const POSTGRES_GUEST = ["create role guest login password 'canary'"];

function mysqlGuest(database: string): readonly string[] {
  return [
    "create user guest@'%' identified by 'canary'",
    `grant select, insert, update, delete on ${database}.* to guest@'%'`,
  ];
}

describeOnServer("postgres", "postgres", startPostgres);
describeOnServer("mariadbd", "mysql", startMariadb);

function describeOnServer(
  program: ServerProgram,
  type: "postgres" | "mysql",
  start: () => Promise<DatabaseServer>,
): void {
  describeWithServers([program], `quantmesh on ${program}`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    it.each(REFUSALS)("names $name in one line, without the password", async ({ address, code, says }) => {
      const cwd = folderFor(type, await address(await server.createDatabase(), server));

      const end = await runCommand(RUN, { cwd });

      expect(end.code).toBe(code);
      expect(end.stderr.trimEnd()).toMatch(says);
      expect(end.stderr + end.stdout).not.toMatch(/canary|admin-secret/);
      expect(existsSync(join(cwd, "data"))).toBe(false);
    });

    it("trades, keeps a second process away, goes on after kill -9, and its days add up to its totals", async () => {
      const cwd = folderFor(type, await server.createDatabase());
      const first = startCommand(RUN, { cwd });
      await first.linesMatching(isFill, 3);

      const second = await runCommand(RUN, { cwd });
      expect(second.code).toBe(FAILED);
      expect(second.stderr).toContain(`another quantmesh process is running on ${type} database "quantmesh_`);

      first.kill("SIGKILL");
      await first.ended;
      const next = startCommand(RUN, { cwd });
      await next.line(isStarted);
      await next.linesMatching(isFill, 2);
      next.kill("SIGINT");
      expect((await next.ended).code).toBe(0);

      const [bot] = await stats<{ readonly fills: number; readonly fees: string }>(cwd, "bot");
      const days = await stats<{ readonly day: string; readonly fills: number; readonly fees: string }>(
        cwd,
        "day",
      );
      expect(bot?.fills).toBeGreaterThanOrEqual(5);
      expect(days.reduce((sum, { fills }) => sum + fills, 0)).toBe(bot?.fills);
      const fees = days.reduce((sum, day) => sum + parseMoney(day.fees), 0n);
      expect(formatMoney(fees as Money)).toBe(bot?.fees);
      expect(days[0]?.day).toMatch(/^\d{4}-\d{2}-\d{2}$/);
      const table = await runCommand(["stats", "--by", "day", "-c", CONFIG], { cwd });
      expect(table.stdout).toMatch(/^day +bot +symbol +fills/);
    });
  });
}

async function stats<Row>(cwd: string, by: string): Promise<readonly Row[]> {
  const end = await runCommand(["stats", "--by", by, "-c", CONFIG, "--json"], { cwd });
  expect(end).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(end.stdout) as readonly Row[];
}

describe("a database address that does not fit its type", () => {
  it("is refused before anything is opened, also by `config check`", async () => {
    const cwd = folderFor("postgres", "./data/canary.db");

    for (const args of [RUN, ["config", "check", "-c", CONFIG], ["orders", "-c", CONFIG]]) {
      const end = await runCommand(args, { cwd });
      expect(end.code).toBe(WRONG);
      expect(end.stderr).toBe(
        "quantmesh: database.dsn: this is a file path, and database.type is postgres: write postgres://user:password@host:5432/database\n",
      );
    }
    expect(existsSync(join(cwd, "data"))).toBe(false);
  });
});
