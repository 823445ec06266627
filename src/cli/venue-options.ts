/** The venue's config → what its server is started with. */
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadVenueKeys } from "../config/load-venue-config.ts";
import type { VenueConfig, VenueKeyConfig } from "../config/venue-schema.ts";
import { parseMoney, priceTicks } from "../domain/amounts.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { Instrument } from "../domain/instrument.ts";
import { createInstrument, parsePrice, parseQuantity } from "../domain/instrument.ts";
import type { Log } from "../domain/log.ts";
import { makeFolders } from "../storage/make-folders.ts";
import { loadCandles } from "../venue/market/candles.ts";
import type { CrowdOptions } from "../venue/market/crowd.ts";
import { completeCrowd } from "../venue/market/crowd.ts";
import type { Filters } from "../venue/matching/filters.ts";
import { loadKlineHistory } from "../venue/server/kline-history.ts";
import type { ApiKeyOptions, PriceSource, VenueServerOptions, VenueSymbol } from "../venue/server/options.ts";
import { crowdOptions } from "./sim-options.ts";

type SymbolConfig = VenueConfig["symbols"][string];

/** Reads candle files and keys. Throws CONFIG_INVALID or DATA_INVALID with the place. */
export async function venueOptions(config: VenueConfig, log: Log): Promise<VenueServerOptions> {
  const { limits, crowd, journal } = config;
  const symbols: VenueSymbol[] = [];
  for (const [symbol, rules] of Object.entries(config.symbols)) {
    try {
      symbols.push(await venueSymbol(config, symbol, rules));
    } catch (error) {
      if (!hasCode(error, "CONFIG_INVALID") && !hasCode(error, "DATA_INVALID")) throw error;
      throw new QuantmeshError("CONFIG_INVALID", `symbols.${symbol}: ${error.message}`, { cause: error });
    }
  }
  const keys = await venueKeys(config);
  const unknown = keys.find(({ account }) => !Object.hasOwn(config.accounts, account));
  if (unknown) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `keys: account "${unknown.account}" is not in accounts (${Object.keys(config.accounts).join(", ")})`,
    );
  }
  return {
    host: config.host,
    port: config.port,
    adminPort: config.admin_port,
    symbols,
    accounts: Object.entries(config.accounts).map(([name, balances]) => ({
      name,
      balances: Object.fromEntries(
        Object.entries(balances).map(([asset, amount]) => [asset, parseMoney(amount)]),
      ),
    })),
    keys,
    feeAsset: config.fee_asset,
    selfTrade: "expire_maker",
    ...(crowd ? { crowd: completeCrowd(crowdOptions(crowd) satisfies CrowdOptions) } : {}),
    limits: {
      weightPerMinute: limits.weight_per_minute,
      ordersPer10Seconds: limits.orders_per_10_seconds,
      ordersPerDay: limits.orders_per_day,
      banMs: limits.ban_ms,
    },
    ...(journal === "none" ? {} : { folder: journal }),
    snapshotEvery: config.snapshot_every,
    seed: config.seed,
    refuseReplays: config.refuse_replays,
    log,
  };
}

/** Where keys come from where the config names none: a file beside the journal, made with a random key. */
export function defaultKeysFile({ journal }: VenueConfig): string {
  return join(journal === "none" ? "./data" : journal, "keys.yaml");
}

async function venueKeys(config: VenueConfig): Promise<readonly ApiKeyOptions[]> {
  const { keys, keys_file: file = keys.length === 0 ? defaultKeysFile(config) : undefined } = config;
  if (file === undefined) return keys.map(apiKey);
  if (!existsSync(file)) writeNewKey(file, Object.keys(config.accounts)[0] ?? "main");
  return [...keys, ...(await loadVenueKeys(file, process.env))].map(apiKey);
}

function apiKey({ api_key, secret_key, account, permissions, allowed_ips }: VenueKeyConfig): ApiKeyOptions {
  return {
    key: api_key,
    secret: secret_key,
    account,
    permissions,
    ...(allowed_ips === undefined ? {} : { allowedIps: allowed_ips }),
  };
}

function writeNewKey(file: string, account: string): void {
  const [key, secret] = [randomBytes(16).toString("hex"), randomBytes(32).toString("hex")];
  const lines = [
    "# A key of the simulated exchange; worth nothing elsewhere.",
    `- api_key: ${key}`,
    `  secret_key: ${secret}`,
    `  account: ${account}`,
    "  permissions: [read, trade]",
  ];
  try {
    makeFolders(dirname(file));
    writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new QuantmeshError("CONFIG_INVALID", `cannot write ${file}; set keys_file to another path`, {
      cause,
    });
  }
}

async function venueSymbol(config: VenueConfig, symbol: string, rules: SymbolConfig): Promise<VenueSymbol> {
  const instrument = createInstrument({
    exchange: "binance",
    symbol,
    tickSize: rules.tick_size,
    lotSize: rules.lot_size,
    minQuantity: rules.min_quantity ?? rules.lot_size,
    minNotional: rules.min_notional,
    makerFee: config.maker_fee,
    takerFee: config.taker_fee,
  });
  return {
    instrument,
    filters: filtersOf(instrument, rules),
    fill: rules.fill,
    source: await sourceOf(instrument, rules),
    ...(rules.history === undefined ? {} : { history: await loadKlineHistory(rules.history) }),
  };
}

function filtersOf(instrument: Instrument, rules: SymbolConfig): Required<Filters> {
  const { min_price, max_price, max_quantity, max_notional, max_open_orders } = rules;
  return {
    minPrice: min_price === undefined ? priceTicks(1) : parsePrice(instrument, min_price),
    maxPrice: parsePrice(instrument, max_price),
    minQuantity: instrument.minQuantity,
    maxQuantity: parseQuantity(instrument, max_quantity),
    minNotional: instrument.minNotional,
    maxNotional: parseMoney(max_notional),
    maxOpenOrders: max_open_orders,
  };
}

async function sourceOf(instrument: Instrument, { market }: SymbolConfig): Promise<PriceSource> {
  switch (market.type) {
    case "manual":
      return { kind: "manual", startPrice: parsePrice(instrument, market.start_price) };
    case "replay":
      return {
        kind: "replay",
        candles: await loadCandles(market.file, instrument.tickSize),
        speed: market.speed,
      };
    case "walk":
      return {
        kind: "walk",
        seed: market.seed,
        startPrice: parsePrice(instrument, market.start_price),
        stepTicks: parsePrice(instrument, market.step),
        stepMs: market.step_ms,
        reversion: market.reversion,
      };
  }
}
