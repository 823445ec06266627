/** What a venue is started with: checked values, nothing of a config file's text. */
import type { Money, PriceTicks } from "../../domain/amounts.ts";
import type { Instrument } from "../../domain/instrument.ts";
import type { Log } from "../../domain/log.ts";
import type { Candles } from "../market/candles.ts";
import type { CrowdOptions } from "../market/crowd.ts";
import type { FeeAsset, FillRule, SelfTradeMode } from "../matching/commands.ts";
import type { Filters } from "../matching/filters.ts";
import type { KlineHistory } from "./kline-history.ts";

/** What moves the price of a symbol, besides the admin port. */
export type PriceSource =
  | {
      readonly kind: "walk";
      readonly seed: number;
      readonly startPrice: PriceTicks;
      readonly stepTicks: number;
      readonly stepMs: number;
      readonly reversion: number;
    }
  /** The candles in their own time, `speed` times as fast. */
  | { readonly kind: "replay"; readonly candles: Candles; readonly speed: number }
  /** The admin port alone. */
  | { readonly kind: "manual"; readonly startPrice: PriceTicks };

export interface VenueSymbol {
  readonly instrument: Instrument;
  /** All of them: the venue shows each, and what it shows it keeps. */
  readonly filters: Required<Filters>;
  /** Whether a price that only reaches a limit fills it. */
  readonly fill: FillRule;
  readonly source: PriceSource;
  /** Klines of before; those of the venue's own time come after them. */
  readonly history?: KlineHistory;
}

export type Permission = "read" | "trade" | "withdraw";

export interface ApiKeyOptions {
  readonly key: string;
  readonly secret: string;
  readonly account: string;
  readonly permissions: readonly Permission[];
  /** Addresses, or ranges like `10.0.0.0/8` and `fd00::/8`, that may use it; any unless given. */
  readonly allowedIps?: readonly string[];
}

export interface AccountOptions {
  readonly name: string;
  /** What it is given when the venue first meets it. */
  readonly balances: Readonly<Record<string, Money>>;
}

export interface Limits {
  /** Request weight of one address in a minute. */
  readonly weightPerMinute: number;
  /** New orders of one account. */
  readonly ordersPer10Seconds: number;
  readonly ordersPerDay: number;
  /** How long an address that goes on after 429 is shut out the first time, ms. */
  readonly banMs: number;
}

export interface VenueServerOptions {
  readonly host: string;
  /** 0 takes any free port; so does the admin port. */
  readonly port: number;
  readonly adminPort: number;
  readonly symbols: readonly VenueSymbol[];
  readonly accounts: readonly AccountOptions[];
  readonly keys: readonly ApiKeyOptions[];
  readonly feeAsset: FeeAsset;
  readonly selfTrade: SelfTradeMode;
  /** Other users; without them every market has unlimited depth at its price. */
  readonly crowd?: Required<CrowdOptions>;
  readonly limits: Limits;
  /** Folder of the journal and its snapshots; without one the venue ends with its process. */
  readonly folder?: string;
  /** After how many commands a snapshot is taken. */
  readonly snapshotEvery: number;
  /** Seed of the fault switches' dice. */
  readonly seed: number;
  /** Refuses a second order or cancel with the signature of an earlier one; real Binance does not. */
  readonly refuseReplays: boolean;
  readonly log: Log;
}
