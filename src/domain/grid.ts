/** A bot's durable shape: what it was set up with, what its slots hold, and what it has earned. */
import type { Money, PriceTicks, QuantityLots } from "./amounts.ts";
import type { MarketKey } from "./claim.ts";
import type { BotCode, Generation, Instant, SlotNumber } from "./ids.ts";
import type { Instrument } from "./instrument.ts";

/** One cell of the lattice: buys at `buyPrice`, sells at `sellPrice`. */
export interface SlotTerms {
  readonly slot: SlotNumber;
  readonly buyPrice: PriceTicks;
  readonly sellPrice: PriceTicks;
  readonly quantity: QuantityLots;
}

/** What a slot's next order is for. */
export type Wants = "buy" | "sell";

/** How slots at or above the start price begin: bought at once, or idle until the price was above them. */
export type InitialMode = "buy" | "none";

/** Which prices a bot may use. */
export type Lattice = { readonly kind: "range" } | WindowLattice;

/** Levels at `anchor + k · interval`, for ever; each is opened when the window first reaches it. */
export interface WindowLattice {
  readonly kind: "window";
  readonly anchor: PriceTicks;
  /** In ticks. */
  readonly interval: number;
  /** Quote per level. */
  readonly orderQuantity: Money;
}

/** One grid on one (exchange, account, symbol), as stored when it was first started. */
export interface Bot {
  readonly code: BotCode;
  readonly market: MarketKey;
  readonly instrument: Instrument;
  /** The grid's settings as canonical JSON; compared with the config at every start. */
  readonly settings: string;
  readonly lattice: Lattice;
  readonly initial: InitialMode;
  readonly startPrice: PriceTicks;
  readonly createdAt: Instant;
  /** Ascending by price; a window grid opens more as the price moves. */
  readonly slots: readonly SlotTerms[];
}

/** Lots bought together, with what they cost; `grid`: by a slot's own buy, `initial`: at the bot's start. */
export interface Parcel {
  readonly origin: "grid" | "initial";
  readonly quantity: QuantityLots;
  /** Gross quote paid. */
  readonly quote: Money;
  /** Fee paid, in quote. */
  readonly fee: Money;
}

/** All that is durable of a slot beside its terms and orders. */
export interface SlotHolding {
  readonly wants: Wants;
  /** At most one parcel for each origin, initial first. */
  readonly inventory: readonly Parcel[];
  /** Base below one lot, left over where fees are taken in base. */
  readonly dust: Money;
}

/** One completed cycle, or the sale of lots bought at the start. */
export interface Trade {
  readonly slot: SlotNumber;
  /** Generation of the sell that completed it. */
  readonly generation: Generation;
  /** Tells the trades of one sell apart: parcels of both origins were sold, or a fill came late. */
  readonly part: number;
  readonly origin: Parcel["origin"];
  readonly quantity: QuantityLots;
  readonly buyQuote: Money;
  readonly buyFee: Money;
  readonly sellQuote: Money;
  readonly sellFee: Money;
  /** sellQuote − sellFee − buyQuote − buyFee. */
  readonly profit: Money;
  readonly at: Instant;
}

/** Running sums of a bot, changed together with the fills they come from. */
export interface Totals {
  readonly fills: number;
  /** Cycles whose buy was a grid order. */
  readonly trades: number;
  readonly gridProfit: Money;
  /** Sells of lots bought at the start. */
  readonly inventorySells: number;
  readonly inventoryPnl: Money;
  readonly fees: Money;
  /** Quote received less quote paid, fees included. */
  readonly cashFlow: Money;
  /** Lots bought less lots sold. */
  readonly position: QuantityLots;
  /** Fees that were taken out of what was bought, in base: the bot owns its position less this. */
  readonly baseFees: Money;
}

/**
 * waiting: for its trigger price · running · paused: nothing is bought · halted: a contradiction, a person decides ·
 * closing: cancels, then sells all it holds · closed, killed: ended.
 */
export type BotMode = "waiting" | "running" | "paused" | "halted" | "closing" | "closed" | "killed";
