/** What makes a simulated market this one and no other, as JSON for its journal. */
import { createHash } from "node:crypto";
import type { Money } from "../../domain/amounts.ts";
import { ZERO_MONEY, formatMoney } from "../../domain/amounts.ts";
import { formatDecimal } from "../../domain/decimal.ts";
import type { Candles } from "../../venue/market/candles.ts";
import type { ClientIdRule, FeeAsset, SelfTradeMode } from "../../venue/matching/commands.ts";
import type { CrowdOptions } from "../../venue/market/crowd.ts";
import type { MarketDescription } from "./journal-format.ts";
import type { SimSymbol } from "./sim-market.ts";
import { DEFAULT_REVERSION } from "./sim-market.ts";

export interface MarketTerms {
  readonly symbols: readonly SimSymbol[];
  readonly balances: Readonly<Record<string, Money>>;
  readonly clientIdRule: ClientIdRule;
  readonly selfTrade: SelfTradeMode;
  readonly feeAsset: FeeAsset;
  readonly clockOffsetMs: number;
  readonly crowd: Required<CrowdOptions> | undefined;
}

/** Describes candles by their content: the file may move. */
export function describeMarket(terms: MarketTerms): MarketDescription {
  const { symbols, balances, clientIdRule, selfTrade, feeAsset, clockOffsetMs, crowd } = terms;
  const assets = Object.keys(balances).sort();
  return {
    balances: assets.map((asset) => [asset, formatMoney(balances[asset] ?? ZERO_MONEY)]),
    clientIdRule,
    selfTrade,
    feeAsset,
    clockOffsetMs,
    crowd: crowd ? entriesOf(crowd) : "none",
    instruments: symbols.map(({ instrument }) => entriesOf(instrument)),
    filters: symbols.map(({ filters = {} }) => entriesOf(filters)),
    market: symbols.map(({ market }) => describeSource(market)),
  };
}

function describeSource(market: SimSymbol["market"]): MarketDescription {
  if (market.type === "replay") {
    return { type: market.type, fill: market.fill, candles: describeCandles(market.candles) };
  }
  const { type, seed, startPrice, stepTicks, stepMs, reversion = DEFAULT_REVERSION } = market;
  return { type, seed, startPrice, stepTicks, stepMs, reversion };
}

/** In the order of the names, money as text: the same values give the same text. */
function entriesOf(values: object): readonly (readonly [string, unknown])[] {
  return Object.entries(values)
    .map(([name, value]: [string, unknown]): readonly [string, unknown] => [
      name,
      typeof value === "bigint" ? formatDecimal(value) : value,
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function describeCandles({ length, timestamp, open, high, low, close }: Candles): MarketDescription {
  const hash = createHash("sha256");
  for (const column of [timestamp, open, high, low, close]) hash.update(column);
  return { length, sha256: hash.digest("hex") };
}
