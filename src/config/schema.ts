/** The whole config: its sections, and what can only be checked across them. */
import type { z } from "zod";
import { SIM, exchangeUnavailable, exchangesSchema } from "./exchange-schema.ts";
import { section, text } from "./fields.ts";
import { databaseSchema, instanceSchema, lockSchema, systemSchema, webSchema } from "./instance-schema.ts";
import type { RealExchangeName } from "./real-exchange-schema.ts";
import { isRealExchange } from "./real-exchange-schema.ts";
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
  if (!isConfigured(exchanges, app.current_exchange)) {
    problem(unconfigured(app.current_exchange), "app", "current_exchange");
  }
  const seen = new Set<string>();
  const symbols = trading.symbols.map((grid, index) => {
    const at = ["trading", "symbols", index] as const;
    const exchange = grid.exchange ?? app.current_exchange;
    if (grid.exchange !== undefined && !isConfigured(exchanges, grid.exchange)) {
      problem(unconfigured(grid.exchange), ...at, "exchange");
    } else if (exchange !== (trading.symbols[0]?.exchange ?? app.current_exchange)) {
      problem("an instance trades on one exchange; give this grid an instance of its own", ...at, "exchange");
    }
    const configured = Object.keys(exchanges[SIM].symbols);
    const symbol = exchange === SIM ? configuredSymbol(grid.symbol, configured) : unifiedSymbol(grid.symbol);
    if (symbol === undefined) {
      const known = configured.join(", ") || "none";
      const reason =
        exchange === SIM ? `is not among exchanges.${SIM}.symbols (${known})` : "must be written BASE/QUOTE";
      problem(`"${grid.symbol}" ${reason}`, ...at, "symbol");
    } else if (seen.has(symbol)) {
      problem(`${symbol} has a grid above; one symbol has one grid`, ...at, "symbol");
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
export type RealExchangeConfig = NonNullable<Config["exchanges"][RealExchangeName]>;

type DeepReadonly<Value> = Value extends object
  ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> }
  : Value;

type Exchanges = z.output<typeof exchangesSchema>;

function isConfigured(exchanges: Exchanges, name: string): boolean {
  return name === SIM || (isRealExchange(name) && exchanges[name] !== undefined);
}

function unconfigured(name: string): string {
  return isRealExchange(name)
    ? `exchange "${name}" has no section under exchanges`
    : exchangeUnavailable(name);
}

/** The one configured symbol that `name` means, written `BTC/USDT`, `BTC-USDT` or `BTCUSDT`. */
function configuredSymbol(name: string, configured: readonly string[]): string | undefined {
  const meant = configured.filter((symbol) =>
    [symbol, symbol.replace("/", "-"), symbol.replace("/", "")].includes(name),
  );
  return meant.length === 1 ? meant[0] : undefined;
}

/** The quote currencies that are recognized where a name has no `/` or `-`. */
const QUOTES = "USDT|USDC|FDUSD|BTC|ETH|EUR";

/** `BTC/USDT` of the same, of `BTC-USDT` and of `BTCUSDT`; undefined where none of these. */
function unifiedSymbol(name: string): string | undefined {
  const parts =
    /^([A-Z0-9]+)[/-]([A-Z0-9]+)$/.exec(name) ?? new RegExp(`^([A-Z0-9]+)(${QUOTES})$`).exec(name);
  return parts ? `${parts[1]}/${parts[2]}` : undefined;
}
