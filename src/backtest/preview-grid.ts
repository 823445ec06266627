/** What a grid would be, before it trades: its cells, what it needs and what a cycle earns; exact decimal text. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { ZERO_LOTS, addLots, addMoney, feeOn, formatMoney, money, priceTicks } from "../domain/amounts.ts";
import { ONE, divideDown, divideUp, formatDecimal } from "../domain/decimal.ts";
import type { Bot, SlotTerms } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, formatQuantity, notional } from "../domain/instrument.ts";
import { initialEquity } from "../strategy/sizing.ts";
import { startsHolding } from "../strategy/state.ts";

/** Amounts in quote, quantities in base, unless said otherwise. */
export interface LevelPreview {
  readonly slot: number;
  /** How the slot begins: its buy rests, its base is bought at once and its sell rests, or it waits for the price. */
  readonly start: "buy" | "sell" | "wait";
  readonly buyPrice: string;
  readonly sellPrice: string;
  readonly quantity: string;
  /** Of a buy at `buyPrice`, with its fee. */
  readonly cost: string;
  /** Of one cycle, net of both fees; both orders rest. */
  readonly profit: string;
  /** Profit as a share of the cost, rounded down to 8 places. */
  readonly profitRate: string;
  /** The lowest sell price at which a cycle loses nothing. */
  readonly breakEven: string;
}

export interface GridPreview {
  readonly symbol: string;
  readonly base: string;
  readonly quote: string;
  readonly startPrice: string;
  readonly makerFee: string;
  readonly takerFee: string;
  /** From the lowest up. */
  readonly levels: readonly LevelPreview[];
  /** The back-test's initial equity. */
  readonly quoteNeeded: string;
  /** Of it for the market order at the start, with its fee. */
  readonly initialPurchase: string;
  /** What that order buys. */
  readonly baseBought: string;
  readonly restingBuys: number;
  readonly restingSells: number;
  /** Slots that wait until the price was above them (`initial: none`). */
  readonly waiting: number;
  /** By profit rate; the lower one of equals. */
  readonly worst: LevelPreview;
  readonly best: LevelPreview;
}

export function previewGrid(bot: Bot): GridPreview {
  const { instrument, slots, startPrice } = bot;
  const cells = slots.map((terms) => previewCell(bot, terms));
  const worst = cells.reduce((least, cell) => (isRateBelow(cell, least) ? cell : least));
  const best = cells.reduce((most, cell) => (isRateBelow(most, cell) ? cell : most));
  const bought = slots.filter((terms) => startsHolding(bot, terms));
  const count = (start: LevelPreview["start"]): number =>
    cells.filter(({ level }) => level.start === start).length;
  return {
    symbol: instrument.symbol,
    base: instrument.base,
    quote: instrument.quote,
    startPrice: formatPrice(instrument, startPrice),
    makerFee: formatDecimal(instrument.makerFee),
    takerFee: formatDecimal(instrument.takerFee),
    levels: cells.map(({ level }) => level),
    quoteNeeded: formatMoney(initialEquity(bot, instrument, slots, startPrice)),
    initialPurchase: formatMoney(initialEquity(bot, instrument, bought, startPrice)),
    baseBought: formatQuantity(
      instrument,
      bought.reduce((sum, { quantity }) => addLots(sum, quantity), ZERO_LOTS),
    ),
    restingBuys: count("buy"),
    restingSells: count("sell"),
    waiting: count("wait"),
    worst: worst.level,
    best: best.level,
  };
}

interface Cell {
  readonly cost: Money;
  readonly profit: Money;
  readonly level: LevelPreview;
}

function previewCell(bot: Bot, terms: SlotTerms): Cell {
  const { instrument } = bot;
  const { slot, buyPrice, sellPrice, quantity } = terms;
  const bought = notional(instrument, buyPrice, quantity);
  const cost = addMoney(bought, feeOn(bought, instrument.makerFee));
  const profit = money(proceedsAt(instrument, terms, sellPrice) - cost);
  return {
    cost,
    profit,
    level: {
      slot,
      start: startOf(bot, terms),
      buyPrice: formatPrice(instrument, buyPrice),
      sellPrice: formatPrice(instrument, sellPrice),
      quantity: formatQuantity(instrument, quantity),
      cost: formatMoney(cost),
      profit: formatMoney(profit),
      profitRate: formatRate(profit, cost),
      breakEven: formatPrice(instrument, breakEvenPrice(instrument, terms, cost)),
    },
  };
}

function startOf(bot: Bot, terms: SlotTerms): LevelPreview["start"] {
  if (terms.buyPrice < bot.startPrice) return "buy";
  return startsHolding(bot, terms) ? "sell" : "wait";
}

/** What a sell that rested brings at `price`, net of its fee. */
function proceedsAt(instrument: Instrument, { quantity }: SlotTerms, price: PriceTicks): Money {
  const value = notional(instrument, price, quantity);
  return money(value - feeOn(value, instrument.makerFee));
}

/** The smallest t with t·q − fee(t·q) ≥ cost. */
function breakEvenPrice(instrument: Instrument, terms: SlotTerms, cost: Money): PriceTicks {
  const perTick = BigInt(terms.quantity) * instrument.notionalUnit * (ONE - instrument.makerFee);
  let price = priceTicks(Number(divideUp(cost * ONE, perTick)));
  // The fee is rounded up by less than 1e-18, so the quotient is at most a tick too low.
  while (proceedsAt(instrument, terms, price) < cost) price = priceTicks(price + 1);
  return price;
}

/** Compares profit / cost exactly. */
function isRateBelow(a: Cell, b: Cell): boolean {
  return a.profit * b.cost < b.profit * a.cost;
}

function formatRate(profit: Money, cost: Money): string {
  const place = ONE / 10n ** 8n;
  return formatDecimal(divideDown(profit * 10n ** 8n, cost) * place);
}
