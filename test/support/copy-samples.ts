/** Databases to copy: SQLite files with rows in every table, among them texts and amounts that are easily spoilt. */
import Database from "better-sqlite3";
import { createStorage } from "../../src/storage/create-storage.ts";
import type { ColumnKind } from "../../src/storage/copy/table-shapes.ts";
import { TABLES } from "../../src/storage/copy/table-shapes.ts";
import { seededRandom } from "./scale.ts";

export interface SampleSize {
  readonly bots: number;
  /** Of all bots together. */
  readonly orders: number;
  readonly trades: number;
}

const SMALL: SampleSize = { bots: 3, orders: 2_500, trades: 2_100 };
const TEXTS = [
  "",
  "\\N",
  "\\",
  "a\tb\nc\rd\be\vf\fg",
  "back\\slash \\t \\n \\x41",
  "tail\\",
  '{"quote":"\\"","emoji":"🦀","umlaut":"ä"}',
  "  spaces  ",
  "'; drop table orders; --",
  "$1 ? % \u0001",
];
const AMOUNTS = [
  "0",
  "0.000000000000000001",
  "-0.000000000000000001",
  "999999999999999999.999999999999999999",
  "-123456789.5",
  "100",
  "1000000",
  "0.1",
];

/** Makes `file`, with its schema and its rows; the same seed makes the same rows. */
export async function makeSampleDatabase(
  file: string,
  seed: number,
  size: SampleSize = SMALL,
): Promise<void> {
  const storage = await createStorage({ type: "sqlite", file });
  await storage.fleetId();
  await storage.close();
  const database = new Database(file);
  database.pragma("synchronous = OFF");
  database.transaction(() => fill(database, seededRandom(seed), size))();
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
}

/** Every row of every table, in the order of its key: what a copy must bring. */
export function rowsOf(file: string): Readonly<Record<string, readonly unknown[]>> {
  const database = new Database(file, { readonly: true });
  try {
    return Object.fromEntries(
      TABLES.map(({ name, columns, key }) => {
        const list = columns.map(([column]) => `"${column}"`).join(", ");
        const order = key.map((column) => `"${column}"`).join(", ");
        return [name, database.prepare(`select ${list} from "${name}" order by ${order}`).raw().all()];
      }),
    );
  } finally {
    database.close();
  }
}

type Values = Readonly<Record<string, string | number | null>>;

function fill(database: Database.Database, random: () => number, { bots, orders, trades }: SampleSize): void {
  const pick = <Value>(values: readonly Value[]): Value =>
    values[Math.floor(random() * values.length)] as Value;
  const ofKind = (kind: ColumnKind): string | number =>
    kind === "text" ? pick(TEXTS) : kind === "amount" ? pick(AMOUNTS) : Math.floor(random() * 2 ** 45);
  const inserts = new Map(TABLES.map((table) => [table.name as string, insertInto(database, table.name)]));
  const insert = (name: string, values: Values): void => {
    const shape = TABLES.find((table) => table.name === name);
    const row = shape?.columns.map(([column, kind]) => (column in values ? values[column] : ofKind(kind)));
    inserts.get(name)?.run(...(row ?? []));
  };
  const codes = Array.from({ length: bots }, (_, bot) => `bot${bot}`.padEnd(10, "x"));
  for (const [bot, code] of codes.entries()) {
    const market = { exchange: "sim", account: "main", symbol: `S${bot}/USDT` };
    insert("claims", {
      ...market,
      epoch: 7 + bot,
      token: `token-${bot}`,
      holder: "instance-1",
      expires_at: null,
    });
    insert("bots", { ...market, code, initial: "buy", initial_done: 1, mode: "running" });
    for (const slot of [0, 1, 60_000_000]) insert("slots", { bot_code: code, slot, wants: "sell" });
    for (const day of ["", "2026-11-19", "2026-11-20"]) insert("daily_totals", { bot_code: code, day });
    for (let id = 1; id <= 40; id++) insert("events", { bot_code: code, id, type: "order.filled" });
  }
  for (let order = 0; order < orders; order++) {
    const bot_code = codes[order % bots] as string;
    const id = `${bot_code}${String(Math.imul(order, 0x9e3779b1) >>> 0).padStart(10, "0")}${order}`;
    const side = order % 2 === 0 ? "buy" : "sell";
    const isDone = order >= bots;
    const terms = { bot_code, slot: order, side, generation: 1, type: "limit" };
    const state = { status: isDone ? "filled" : "open", unfinished: isDone ? null : 1 };
    const exchange_order_id = order % 3 === 0 ? null : String(1_000_000 + order);
    insert("orders", { client_order_id: id, ...terms, ...state, exchange_order_id });
    if (order % 5 !== 0) continue;
    const market = {
      exchange: "sim",
      account: "main",
      symbol: `S${order % bots}/USDT`,
      trade_id: String(order),
    };
    const fee = { fee_asset: "USDT", liquidity: "maker", exchange_order_id: String(1_000_000 + order) };
    const fill = { ...market, side, client_order_id: id, bot_code, ...fee };
    if (order % 35 === 0) insert("delivered_fills", fill);
    else insert("fills", { ...fill, seq: order });
  }
  for (let trade = 0; trade < trades; trade++) {
    insert("trades", { bot_code: codes[trade % bots] as string, slot: trade, part: 0, origin: "grid" });
  }
}

function insertInto(database: Database.Database, name: string): Database.Statement {
  const columns = TABLES.find((table) => table.name === name)?.columns.map(([column]) => `"${column}"`) ?? [];
  return database.prepare(
    `insert into "${name}" (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`,
  );
}
