/** A million rows from SQLite to PostgreSQL: `quantmesh db copy` beside pgloader, on the same file and server. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import Database from "better-sqlite3";
import pg from "pg";
import { TABLES } from "../src/storage/copy/table-shapes.ts";
import { createStorage } from "../src/storage/create-storage.ts";
import { seededRandom } from "../test/support/scale.ts";
import type { DatabaseServer } from "../test/support/servers/database-server.ts";
import { startPostgres } from "../test/support/servers/postgres.ts";
import type { BenchResult } from "./bench.ts";
import { spreadOf } from "./bench.ts";

const ORDERS = 500_000;
const TRADES = 500_000;
const ROWS = ORDERS + TRADES;
const BOTS = 20;
const ROUNDS = 3;

/** Wall time of the whole command without its verification, which pgloader has none of. */
interface Copied {
  readonly seconds: number;
  readonly verifySeconds: number;
  readonly peakMb: number;
}

export async function benchCopy(): Promise<readonly BenchResult[]> {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "ignore", "inherit"] });
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-bench-copy-"));
  const file = join(folder, "source.db");
  await makeSource(file);
  const postgres = await startPostgres({ isDurable: true });
  const ours: Copied[] = [];
  const theirs: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      theirs.push(await inNewDatabase(postgres, (dsn) => pgloader(file, dsn)));
      ours.push(await inNewDatabase(postgres, (dsn) => quantmesh(file, dsn)));
    }
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const reference = spreadOf(theirs.map((seconds) => ROWS / seconds)).median;
  const rates = spreadOf(ours.map(({ seconds }) => ROWS / seconds));
  return [
    {
      name: "copy: sqlite to postgres",
      ...valueOf(rates),
      unit: "rows/s",
      reference: { name: "pgloader", value: reference },
      ratio: rates.median / reference,
    },
    {
      name: "copy: verification",
      ...valueOf(spreadOf(ours.map(({ verifySeconds }) => (2 * ROWS) / verifySeconds))),
      unit: "rows/s",
    },
    { name: "copy: peak memory", ...valueOf(spreadOf(ours.map(({ peakMb }) => peakMb))), unit: "MB" },
  ];
}

function valueOf({ median, min, max }: { median: number; min: number; max: number }) {
  return { value: median, min, max };
}

async function inNewDatabase<Result>(
  server: DatabaseServer,
  work: (dsn: string) => Promise<Result>,
): Promise<Result> {
  const dsn = await server.createDatabase();
  try {
    return await work(dsn);
  } finally {
    await server.dropDatabase(dsn);
  }
}

/** The command itself, in a process that tells its memory at the end. */
const RUN = `
  const { main } = await import(process.argv[1]);
  process.exitCode = await main(process.argv.slice(2));
  process.stderr.write(String(process.resourceUsage().maxRSS / 1024));
`;

async function quantmesh(file: string, dsn: string): Promise<Copied> {
  const main = resolve("dist/cli/main.js");
  const args = ["db", "copy", "--from", file, "--to", dsn, "--json"];
  const { seconds, stdout, stderr } = await run(process.execPath, [
    "--input-type=module",
    "-e",
    RUN,
    main,
    ...args,
  ]);
  const report = JSON.parse(stdout) as { readonly isEqual: boolean; readonly verifySeconds: number };
  if (!report.isEqual) throw new Error(`the copy differs: ${stdout}`);
  const { verifySeconds } = report;
  return { seconds: seconds - verifySeconds, verifySeconds, peakMb: Number(stderr) };
}

async function pgloader(file: string, dsn: string): Promise<number> {
  const { seconds, stdout } = await run("pgloader", [
    `sqlite://${file}`,
    dsn.replace(/^postgres:/, "pgsql:"),
  ]);
  const client = new pg.Client(dsn);
  await client.connect();
  const { rows } = await client.query<{ orders: string; trades: string; indexes: string }>(
    "select (select count(*) from orders) as orders, (select count(*) from trades) as trades, " +
      "(select count(*) from pg_indexes where tablename in ('orders', 'trades')) as indexes",
  );
  await client.end();
  const [found] = rows;
  if (Number(found?.orders) !== ORDERS || Number(found?.trades) !== TRADES || found?.indexes !== "9") {
    throw new Error(`pgloader has not copied all: ${JSON.stringify(found)}\n${stdout}`);
  }
  return seconds;
}

async function run(
  command: string,
  args: readonly string[],
): Promise<{ readonly seconds: number; readonly stdout: string; readonly stderr: string }> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${stdout}\n${stderr}`);
  return { seconds: (performance.now() - started) / 1000, stdout, stderr };
}

/** As twenty bots would have left it after a long time. */
async function makeSource(file: string): Promise<void> {
  const storage = await createStorage({ type: "sqlite", file });
  await storage.fleetId();
  await storage.close();
  const database = new Database(file);
  database.pragma("synchronous = OFF");
  const random = seededRandom(1);
  const codes = Array.from({ length: BOTS }, (_, bot) => `bench${bot}`.padEnd(10, "x"));
  const insert = (name: string): ((row: Readonly<Record<string, unknown>>) => void) => {
    const columns = (TABLES.find((table) => table.name === name)?.columns ?? []).map(([column]) => column);
    const list = columns.map((column) => `"${column}"`).join(", ");
    const marks = columns.map((column) => `@${column}`).join(", ");
    const statement = database.prepare(`insert into "${name}" (${list}) values (${marks})`);
    const rest = Object.fromEntries(columns.map((column) => [column, "0"]));
    return (row) => void statement.run({ ...rest, ...row });
  };
  const [bots, orders, trades] = [insert("bots"), insert("orders"), insert("trades")];
  database.transaction(() => {
    for (const code of codes)
      bots({ code, exchange: "sim", account: "main", symbol: `${code}/USDT`, settings: "{}" });
    for (let n = 0; n < ORDERS; n++) {
      const bot_code = codes[n % BOTS];
      const at = 1_700_000_000_000 + n * 1000 + Math.floor(random() * 1000);
      const [slot, side] = [Math.floor(random() * 100), random() < 0.5 ? "buy" : "sell"];
      const generation = n + 1;
      const [ticks, lots] = [2_900_000 + Math.floor(random() * 200_000), 1 + Math.floor(random() * 100_000)];
      const quote = decimal(BigInt(ticks) * BigInt(lots), 7);
      const fee = decimal(BigInt(ticks) * BigInt(lots) * 2n, 11);
      const [price, quantity] = [decimal(BigInt(ticks), 2), decimal(BigInt(lots), 5)];
      orders({
        client_order_id: `${String(bot_code)}${slot.toString(36).padStart(6, "0")}${side}${generation.toString(36)}`,
        ...{ bot_code, slot, side, generation, type: "limit", price, quantity, status: "filled" },
        ...{ unfinished: null, exchange_order_id: String(1_000_000_000 + n), executed: quantity, quote, fee },
        ...{ valid_until: at + 1000, epoch: 1, created_at: at, updated_at: at + 50_000 },
      });
      if (n >= TRADES) continue;
      const money = {
        quantity,
        buy_quote: quote,
        buy_fee: fee,
        sell_quote: quote,
        sell_fee: fee,
        profit: fee,
      };
      trades({ bot_code, slot, generation, part: 0, origin: "grid", ...money, at: at + 60_000 });
    }
  })();
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
}

/** `units` of 10^-places as the shortest text. */
function decimal(units: bigint, places: number): string {
  const digits = units.toString().padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/0+$/, "");
  return `${digits.slice(0, -places)}${fraction ? `.${fraction}` : ""}`;
}
