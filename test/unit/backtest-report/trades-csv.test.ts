/** trades.csv adds up to the report, to the last decimal. */
import { describe, expect, it } from "vitest";
import type { FinishedBacktest } from "../../../src/backtest/export-backtest.ts";
import { CSV_COLUMNS, formatTradesCsv } from "../../../src/backtest/trades-csv.ts";
import { formatMoney, money, parseMoney } from "../../../src/domain/amounts.ts";
import { parseDecimal } from "../../../src/domain/decimal.ts";
import { finish, wanderingCandles } from "./report-kit.ts";

type Row = Readonly<Record<string, string>>;

describe("trades.csv", () => {
  const finished = finish(wanderingCandles(3_000, 7));
  const { report } = finished;
  const rows = rowsOf(finished);

  it("has a row for every fill, the purchase at the start first", () => {
    expect(report.trades).toBeGreaterThan(100);
    expect(report.inventorySells).toBeGreaterThan(5);
    expect(rows).toHaveLength(report.fills);
    expect(rows[0]).toMatchObject({
      time: "2023-11-14T22:13:20.000Z",
      slot: "initial",
      side: "buy",
      price: report.startPrice,
    });
    expect(rows.slice(1).every(({ slot }) => /^\d+$/.test(slot ?? ""))).toBe(true);
  });

  it("adds up to the fees, the position, the profits and the counts of the report", () => {
    expect(sum(rows, "fee")).toBe(report.fees);
    const [buys, sells] = ["buy", "sell"].map((side) => rows.filter((row) => row["side"] === side)) as [
      Row[],
      Row[],
    ];
    expect(minus(sum(buys, "quantity"), sum(sells, "quantity"))).toBe(report.position);
    expect(sum(rows, "trade_profit")).toBe(report.gridProfit);
    expect(sum(rows, "inventory_profit")).toBe(report.inventoryPnl);
    expect(rows.filter((row) => row["trade_profit"] !== "")).toHaveLength(report.trades);
    expect(rows.filter((row) => row["inventory_profit"] !== "")).toHaveLength(report.inventorySells);
    expect(rows.at(-1)?.["grid_profit"]).toBe(report.gridProfit);
  });

  it("gives each fill its exact value, and the equity that cash and holdings have at its price", () => {
    let cash = parseDecimal(report.initialEquity);
    let position = 0n;
    for (const row of rows) {
      const [price, quantity, quote, fee] = ["price", "quantity", "quote", "fee"].map((name) =>
        parseDecimal(row[name] ?? ""),
      ) as [bigint, bigint, bigint, bigint];
      expect(price * quantity).toBe(quote * 10n ** 18n);
      cash += (row["side"] === "buy" ? -quote : quote) - fee;
      position += row["side"] === "buy" ? quantity : -quantity;
      expect(row["equity"]).toBe(formatMoney(money(cash + (position * price) / 10n ** 18n)));
    }
  });
});

function rowsOf({ bot, report, fills }: FinishedBacktest): readonly Row[] {
  const text = formatTradesCsv(bot.instrument, parseMoney(report.initialEquity), fills);
  const [header = "", ...lines] = text.trimEnd().split("\n");
  expect(header).toBe(CSV_COLUMNS.join(","));
  return lines.map((line) => {
    const cells = line.split(",");
    expect(cells).toHaveLength(CSV_COLUMNS.length);
    return Object.fromEntries(CSV_COLUMNS.map((name, i) => [name, cells[i] ?? ""]));
  });
}

function sum(rows: readonly Row[], name: string): string {
  const amounts = rows.map((row) => row[name] ?? "").filter((text) => text !== "");
  return formatMoney(money(amounts.reduce((total, text) => total + parseDecimal(text), 0n)));
}

function minus(a: string, b: string): string {
  return formatMoney(money(parseDecimal(a) - parseDecimal(b)));
}
