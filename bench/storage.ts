/** Speed of the storage: intents, fills and batches beside the raw driver that runs the same SQL. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompiledQuery } from "kysely";
import { holdingColumns, totalsColumns } from "../src/storage/bot-rows.ts";
import { dayOf } from "../src/storage/column-text.ts";
import { fillRow, newOrderRow, progressColumns } from "../src/storage/order-rows.ts";
import type { Claim } from "../src/domain/claim.ts";
import type { Bot } from "../src/domain/grid.ts";
import { parseMoney } from "../src/domain/amounts.ts";
import { instant } from "../src/domain/ids.ts";
import type { StoreRecord } from "../src/domain/records.ts";
import { KyselyStorage } from "../src/storage/kysely-storage.ts";
import { openDatabase } from "../src/storage/create-storage.ts";
import type { Database } from "../src/storage/database.ts";
import { parseDsn } from "../src/storage/dsn.ts";
import { SCHEMA_VERSION, migrateTo } from "../src/storage/migrations/migrate.ts";
import type { Intent } from "../src/storage/storage.ts";
import type { Statements } from "../src/storage/statements.ts";
import { compileStatements } from "../src/storage/statements.ts";
import {
  partFillRecords,
  sampleBot,
  sampleFill,
  sampleIntent,
  sampleTerms,
} from "../test/contract/storage-samples.ts";
import { startMariadb } from "../test/support/servers/mariadb.ts";
import { startPostgres } from "../test/support/servers/postgres.ts";
import type { BenchResult } from "./bench.ts";
import { spreadOf } from "./bench.ts";
import type { RawDriver } from "./raw-drivers.ts";
import { rawMysql, rawPostgres, rawSqlite } from "./raw-drivers.ts";

const ROUNDS = 25;
const WARM_UPS = 10;
const OPERATIONS = 100;
const BATCHES = 2;
const BATCH = 1000;
/** Of a grid of usual size. */
const OPEN_BUYS = 20;
const RESERVE = parseMoney("10");

interface Contestants {
  readonly storage: KyselyStorage;
  readonly statements: Statements;
  readonly raw: RawDriver;
  readonly claim: Claim;
  readonly bot: Bot;
  /** Bots whose buys are set aside: one for intents, one with a grid of open buys for fills. */
  readonly saving: readonly [intents: Owned, fills: Owned];
}

interface Owned {
  readonly claim: Claim;
  readonly bot: Bot;
}

/** One kind of work: `rows` of it, done by ours or prepared for the raw driver. */
interface Task {
  readonly name: string;
  readonly unit: string;
  readonly rowsPerRound: number;
  /** The calls of the storage, with all that they are given made before the clock starts. */
  readonly ours: (all: Contestants, round: number) => readonly (() => Promise<string>)[];
  /** The transactions as lists of statements, made before the clock starts. */
  readonly raw: (all: Contestants, round: number) => readonly (readonly CompiledQuery[])[];
}

export async function benchStorage(): Promise<readonly BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-bench-"));
  const isDurable = process.env["QUANTMESH_BENCH_DURABLE"] !== "false";
  try {
    const file = join(folder, "bench.sqlite");
    const results = [...(await measure("sqlite", file, rawSqlite))];
    for (const [name, start, raw] of [
      ["postgres", startPostgres, rawPostgres],
      ["mariadb", startMariadb, rawMysql],
    ] as const) {
      const server = await start({ isDurable });
      try {
        results.push(...(await measure(name, await server.createDatabase(), raw)));
      } finally {
        await server.stop();
      }
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(
  name: string,
  dsn: string,
  openRaw: (dsn: string) => Promise<RawDriver>,
): Promise<readonly BenchResult[]> {
  const database = await openDatabase(parseDsn(dsn));
  await migrateTo(database, SCHEMA_VERSION);
  const raw = await openRaw(dsn);
  try {
    const contestants = await prepare(database, raw);
    const results: BenchResult[] = [];
    for (const task of TASKS) results.push(await race(name, task, contestants));
    return results;
  } finally {
    await raw.close();
    await database.close();
  }
}

async function prepare(database: Database, raw: RawDriver): Promise<Contestants> {
  const storage = new KyselyStorage(database);
  const bot = sampleBot();
  const claim = await storage.claim(bot.market, "bench");
  await storage.createBot(claim, bot);
  await storage.insertIntent(claim, bot, sampleIntent(bot, 1));
  const account = { exchange: bot.market.exchange, account: bot.market.account };
  const version = (await storage.openBalances(account, ["USDT"])).get("USDT") ?? 0;
  await storage.saveBalances(account, [{ asset: "USDT", usable: parseMoney("1000000000"), version }]);
  const saving = [
    await openSaving(storage, "bot0000002", "ETH/USDT", 0),
    await openSaving(storage, "bot0000003", "XRP/USDT", OPEN_BUYS),
  ] as const;
  const statements = compileStatements(database.compiler, database.traits);
  return { storage, statements, raw, claim, bot, saving };
}

/** A bot whose buys are set aside, with some of them open. */
async function openSaving(
  storage: KyselyStorage,
  code: string,
  symbol: string,
  buys: number,
): Promise<Owned> {
  const bot = sampleBot(code, symbol);
  const claim = await storage.claim(bot.market, "bench");
  await storage.createBot(claim, bot);
  await storage.openReservation(claim, bot);
  for (let slot = 1; slot <= buys; slot += 1) await storage.insertIntent(claim, bot, savingIntent(bot, slot));
  return { claim, bot };
}

function savingIntent(bot: Bot, slot: number): Intent {
  return { ...sampleIntent(bot, slot), reserve: RESERVE };
}

async function race(database: string, task: Task, contestants: Contestants): Promise<BenchResult> {
  const ours: number[] = [];
  const raw: number[] = [];
  for (let round = 0; round < WARM_UPS + ROUNDS; round += 1) {
    const transactions = task.raw(contestants, round);
    const calls = task.ours(contestants, round);
    const rates = {
      ours: await rateOf(task, async () => {
        for (const call of calls)
          if ((await call()) !== "stored") throw new Error("the bench stored nothing");
      }),
      raw: await rateOf(task, async () => {
        for (const statements of transactions) await contestants.raw.run(statements);
      }),
    };
    if (round < WARM_UPS) continue;
    ours.push(rates.ours);
    raw.push(rates.raw);
  }
  const { median, min, max } = spreadOf(ours);
  const reference = { name: `raw ${contestants.raw.name}`, value: spreadOf(raw).median };
  return {
    name: `storage: ${database} ${task.name}`,
    value: median,
    unit: task.unit,
    min,
    max,
    reference,
    ratio: median / reference.value,
  };
}

async function rateOf({ rowsPerRound }: Task, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return rowsPerRound / ((performance.now() - started) / 1000);
}

const TASKS: readonly Task[] = [
  {
    name: "intent",
    unit: "intents/s",
    rowsPerRound: OPERATIONS,
    ours: ({ storage, claim, bot }, round) =>
      times(OPERATIONS, (index) => {
        const intent = sampleIntent(bot, slotOf(round, index));
        return () => storage.insertIntent(claim, bot, intent);
      }),
    raw: (all, round) => rawIntents(all, round, 0),
  },
  {
    name: "intent, money set aside",
    unit: "intents/s",
    rowsPerRound: OPERATIONS,
    ours: ({ storage, saving: [{ claim, bot }] }, round) =>
      times(OPERATIONS, (index) => {
        const intent = savingIntent(bot, slotOf(round, index));
        return () => storage.insertIntent(claim, bot, intent);
      }),
    raw: (all, round) => rawIntents(all, round, ROUNDS + WARM_UPS),
  },
  {
    name: "fill, money set aside",
    unit: "fills/s",
    rowsPerRound: OPERATIONS,
    ours: ({ storage, saving: [, { claim, bot }] }, round) =>
      times(OPERATIONS, (index) => {
        const records = partFillRecords(sampleTerms(bot, 1), `saving ${round} ${index}`);
        return () => storage.commit(claim, bot, records);
      }),
    raw: ({ statements, claim, bot }, round) =>
      times(OPERATIONS, (index) => fillStatements(statements, claim, bot, `rawer ${round} ${index}`)),
  },
  {
    name: "fill",
    unit: "fills/s",
    rowsPerRound: OPERATIONS,
    ours: ({ storage, claim, bot }, round) =>
      times(OPERATIONS, (index) => {
        const records = partFillRecords(sampleTerms(bot, 1), `ours ${round} ${index}`);
        return () => storage.commit(claim, bot, records);
      }),
    raw: ({ statements, claim, bot }, round) =>
      times(OPERATIONS, (index) => fillStatements(statements, claim, bot, `raw ${round} ${index}`)),
  },
  {
    name: `batch ${BATCH}`,
    unit: "rows/s",
    rowsPerRound: BATCHES * BATCH,
    ours: ({ storage, claim, bot }, round) =>
      times(BATCHES, (index) => {
        const fills = batch(bot, `ours batch ${round} ${index}`);
        const records = fills.map((fill) => ({ kind: "fill", fill }) as const);
        return () => storage.commit(claim, bot, records);
      }),
    raw: ({ statements, claim, bot }, round) =>
      times(BATCHES, (index) => {
        const rows = batch(bot, `raw batch ${round} ${index}`).map((fill, seq) => fillRow(bot, fill, seq));
        return inTransaction([
          statements.holdClaim.with({ ...bot.market, ...claim }),
          statements.lastFill.with({ bot_code: bot.code }),
          ...statements.insertFills.with(rows),
        ]);
      }),
  },
];

/** `rounds`: how many were before, so that no slot is used twice. */
function rawIntents(
  { statements, claim, bot }: Contestants,
  round: number,
  rounds: number,
): readonly (readonly CompiledQuery[])[] {
  return times(OPERATIONS, (index) => {
    const { terms, validUntil } = sampleIntent(bot, slotOf(rounds + round, index), "sell");
    const origin = { status: "pending", exchangeOrderId: null, validUntil, epoch: claim.epoch } as const;
    const row = newOrderRow(bot, terms, origin);
    return [statements.insertIntent.with({ ...row, ...bot.market, token: claim.token })];
  });
}

function slotOf(round: number, index: number): number {
  return 10 + round * OPERATIONS + index;
}

function batch(bot: Bot, name: string) {
  const terms = sampleTerms(bot, 1);
  return times(BATCH, (index) => sampleFill(terms, `${name} ${index}`));
}

/** What a commit of one fill sends. */
function fillStatements(
  statements: Statements,
  claim: Claim,
  bot: Bot,
  tradeId: string,
): readonly CompiledQuery[] {
  const record = <Kind extends StoreRecord["kind"]>(kind: Kind): Extract<StoreRecord, { kind: Kind }> => {
    const found = partFillRecords(sampleTerms(bot, 1), tradeId).find((each) => each.kind === kind);
    return found as Extract<StoreRecord, { kind: Kind }>;
  };
  const { instrument, code } = bot;
  const { fill } = record("fill");
  const order = record("order");
  const slot = record("slot");
  const totals = totalsColumns(instrument, record("totals").totals);
  return inTransaction([
    statements.holdClaim.with({ ...bot.market, ...claim }),
    statements.updateOrder.with({
      ...progressColumns(instrument, order.progress),
      status: "open",
      unfinished: 1,
      updated_at: order.at,
      exchange_order_id: order.exchangeOrderId ?? null,
      client_order_id: order.id,
      bot_code: code,
    }),
    statements.updateSlot.with({
      ...holdingColumns(instrument, slot.holding),
      bot_code: code,
      slot: slot.slot,
    }),
    statements.lastFill.with({ bot_code: code }),
    ...statements.insertFills.with([fillRow(bot, fill, 1)]),
    statements.updateTotals.with({ ...totals, code }),
    statements.saveDay.with({ ...totals, bot_code: code, day: dayOf(instant(fill.at)) }),
  ]);
}

function inTransaction(statements: readonly CompiledQuery[]): readonly CompiledQuery[] {
  return [CompiledQuery.raw("begin"), ...statements, CompiledQuery.raw("commit")];
}

function times<Value>(count: number, make: (index: number) => Value): readonly Value[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
