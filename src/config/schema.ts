/** The whole config: its sections, and what can only be checked across them. */
import type { z } from "zod";
import { SIM, exchangeUnavailable, exchangesSchema } from "./exchange-schema.ts";
import { section, text } from "./fields.ts";
import { databaseSchema, instanceSchema, lockSchema, systemSchema, webSchema } from "./instance-schema.ts";
import { tradingSchema } from "./trading-schema.ts";

/** Every section checked by itself; all defaults are in here. */
export const sectionsSchema = section({
  app: section({
    current_exchange: text().default(SIM).describe("Exchange of every symbol that names none."),
  })
    .prefault({})
    .describe("Settings of the whole program."),
  exchanges: exchangesSchema.describe("The exchanges, by name."),
  trading: tradingSchema.describe("What is traded, and how."),
  database: databaseSchema.prefault({}).describe("Where orders, fills and trades are stored."),
  distributed_lock: lockSchema.prefault({}).describe("The lock that guards each price level."),
  instance: instanceSchema.prefault({}).describe("This instance of the program."),
  system: systemSchema.prefault({}).describe("Logging, and what an exit leaves behind."),
  web: webSchema.prefault({}).describe("The web server."),
});

/** The config with every grid's exchange named and its symbol in unified form, `BTC/USDT`. */
export const configSchema = sectionsSchema.transform(({ trading, ...sections }, context) => {
  const problem = (message: string, ...path: (string | number)[]): void => {
    context.addIssue({ code: "custom", message, path });
  };
  const { app, exchanges } = sections;
  if (app.current_exchange !== SIM) {
    problem(exchangeUnavailable(app.current_exchange), "app", "current_exchange");
  }
  const configured = Object.keys(exchanges[SIM].symbols);
  const seen = new Set<string>();
  const symbols = trading.symbols.map((grid, index) => {
    const exchange = grid.exchange ?? app.current_exchange;
    if (grid.exchange !== undefined && grid.exchange !== SIM) {
      problem(exchangeUnavailable(grid.exchange), "trading", "symbols", index, "exchange");
    }
    const symbol = unifiedSymbol(grid.symbol, configured);
    if (symbol === undefined) {
      const known = configured.join(", ") || "none";
      problem(
        `"${grid.symbol}" is not among exchanges.${SIM}.symbols (${known})`,
        "trading",
        "symbols",
        index,
        "symbol",
      );
    } else if (seen.has(symbol)) {
      problem(`${symbol} has a grid above; one symbol has one grid`, "trading", "symbols", index, "symbol");
    } else {
      seen.add(symbol);
    }
    return { ...grid, exchange, symbol: symbol ?? grid.symbol };
  });
  return { ...sections, trading: { ...trading, symbols } };
});

export type Config = DeepReadonly<z.output<typeof configSchema>>;
export type GridConfig = Config["trading"]["symbols"][number];
export type SimConfig = Config["exchanges"]["sim"];

type DeepReadonly<Value> = Value extends object
  ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
  : Value;

/** The one configured symbol that `name` means, written `BTC/USDT`, `BTC-USDT` or `BTCUSDT`. */
function unifiedSymbol(name: string, configured: readonly string[]): string | undefined {
  const meant = configured.filter((symbol) =>
    [symbol, symbol.replace("/", "-"), symbol.replace("/", "")].includes(name),
  );
  return meant.length === 1 ? meant[0] : undefined;
}
