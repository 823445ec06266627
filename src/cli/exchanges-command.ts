/** `quantmesh exchanges`, or `list-exchanges`: what is known of each exchange, and whether orders may be sent to it. */
import type { Command } from "commander";
import type { ExchangeFacts } from "../exchange/ccxt/exchange-table.ts";
import { EXCHANGES, refusalOf, safetyClassOf } from "../exchange/ccxt/exchange-table.ts";
import { formatTable } from "./table.ts";

/** The table's columns, which docs/exchanges.md has too. */
export const EXCHANGE_COLUMNS: Readonly<Record<string, (exchange: ExchangeFacts) => string>> = {
  exchange: ({ id }) => id,
  class: (exchange) => String(safetyClassOf(exchange)),
  orders: (exchange) => (refusalOf(exchange) === undefined ? "yes" : "no"),
  "client ids": ({ clientIds }) => clientIds,
  "longest id": ({ maxIdLength, idCharset }) => `${maxIdLength} ${idCharset}`,
  "request window": ({ requestWindow }) => requestWindow?.carrier ?? "none",
  checked: ({ requestWindow }) => requestWindow?.checked ?? "never",
  "settle ms": ({ settleMs }) => String(settleMs),
  "dead-man switch": ({ deadManSwitch }) => deadManSwitch ?? "none",
};

export function addExchangesCommand(program: Command): void {
  program
    .command("exchanges")
    .alias("list-exchanges")
    .description("list what is known of each exchange, and whether orders may be sent to it")
    .option("--json", "one JSON array")
    .action((options: { readonly json?: boolean }) => {
      process.stdout.write(`${options.json ? asJson() : asText()}\n`);
    });
}

function asJson(): string {
  const rows = EXCHANGES.map(({ isSpoken: _, ...facts }) => facts);
  const judged = EXCHANGES.map((exchange) => ({
    safetyClass: safetyClassOf(exchange),
    refusal: refusalOf(exchange),
  }));
  return JSON.stringify(
    rows.map((row, index) => ({ ...row, ...judged[index] })),
    null,
    2,
  );
}

function asText(): string {
  const columns = Object.entries(EXCHANGE_COLUMNS);
  const rows = EXCHANGES.map((exchange) => columns.map(([, read]) => read(exchange)));
  const refusals = EXCHANGES.flatMap((exchange) => refusalOf(exchange) ?? []);
  const table = formatTable(
    columns.map(([name]) => name),
    rows,
  );
  return [table, "", ...refusals].join("\n");
}
