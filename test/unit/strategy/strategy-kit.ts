/** A grid of four cells and the words to tell it what happens: every step is checked for purity on the way. */
import { expect } from "vitest";
import type { PriceTicks, QuantityLots } from "../../../src/domain/amounts.ts";
import { feeOn, money, parseMoney } from "../../../src/domain/amounts.ts";
import type { ExchangeOrder } from "../../../src/domain/exchange-order.ts";
import type { Execution, Fill } from "../../../src/domain/fill.ts";
import type { Bot } from "../../../src/domain/grid.ts";
import type { Generation, Instant, Side, SlotNumber } from "../../../src/domain/ids.ts";
import { INITIAL_PURCHASE_SLOT, botCode } from "../../../src/domain/ids.ts";
import type { Instrument } from "../../../src/domain/instrument.ts";
import { createInstrument, notional } from "../../../src/domain/instrument.ts";
import type { BotLedger } from "../../../src/domain/ledger.ts";
import type { OrderRef, OrderTerms, WorkingOrder } from "../../../src/domain/order.ts";
import type { OrderRecord, StoreRecord } from "../../../src/domain/records.ts";
import { encodeClientOrderId } from "../../../src/strategy/client-order-id.ts";
import { createBot } from "../../../src/strategy/create-bot.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import type { Command, ControlAction, GridEvent, Step } from "../../../src/strategy/events.ts";
import { resolveRules } from "../../../src/strategy/rules.ts";
import type { GridRules, RangeSettings } from "../../../src/strategy/settings.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import type { GridState, SlotState } from "../../../src/strategy/state.ts";
import { openState } from "../../../src/strategy/state.ts";
import { step } from "../../../src/strategy/step.ts";
import { valueGrid } from "../../../src/strategy/valuation.ts";

/** Tick 1, lot 0.001, at least 5 USDT for each order; maker 0.1 %, taker 0.2 %. */
export const INSTRUMENT: Instrument = createInstrument({
  exchange: "sim",
  symbol: "BTC/USDT",
  tickSize: "1",
  lotSize: "0.001",
  minNotional: "5",
  makerFee: "0.001",
  takerFee: "0.002",
});

export const CODE = botCode("abcdefghij");
export const OTHER_CODE = botCode("jihgfedcba");
export const INITIAL = INITIAL_PURCHASE_SLOT;

/** Four cells 100 – 110 – 120 – 130 – 140 of 0.1 BTC (100 lots). */
export const SETTINGS: RangeSettings = {
  lattice: "range",
  lower: "100",
  upper: "140",
  grids: 4,
  spacing: "arithmetic",
  amount: { kind: "base_quantity", value: "0.1" },
  initial: "buy",
};

export function makeBot(startPrice: number, change: Partial<RangeSettings> = {}): Bot {
  return createBot({
    code: CODE,
    market: { exchange: "sim", account: "main", symbol: "BTC/USDT" },
    instrument: INSTRUMENT,
    settings: { ...SETTINGS, ...change },
    rules: DEFAULT_RULES,
    price: ticks(startPrice),
    createdAt: at(0),
  });
}

export const ticks = (value: number): PriceTicks => value as PriceTicks;
export const lots = (value: number): QuantityLots => value as QuantityLots;
export const at = (value: number): Instant => value as Instant;

export function refOf(slot: number, side: Side, generation: number, code = CODE): OrderRef {
  const id = encodeClientOrderId(code, slot as SlotNumber, side, generation as Generation);
  return { id, slot: slot as SlotNumber, side, generation: generation as Generation };
}

/** What a slot's order looks like; the price is the slot's own. */
export function termsOf(
  bot: Bot,
  slot: number,
  side: Side,
  generation: number,
  createdAt: number,
): OrderTerms {
  const { buyPrice, sellPrice, quantity } = bot.slots[slot] ?? expect.fail(`no slot ${slot}`);
  return {
    ...refOf(slot, side, generation),
    type: "limit",
    price: side === "buy" ? buyPrice : sellPrice,
    quantity,
    createdAt: at(createdAt),
  };
}

export function shown(
  order: OrderTerms,
  status: ExchangeOrder["status"] = "open",
  executed = 0,
): ExchangeOrder {
  const { id, side, type, price, quantity, createdAt } = order;
  return {
    id,
    side,
    type,
    price,
    quantity,
    createdAt,
    exchangeOrderId: `x-${id}`,
    executed: lots(executed),
    status,
  };
}

/** What an execution is where the test does not say otherwise: at the order's price, as maker, fee in quote. */
export interface Execute extends Partial<Execution> {
  readonly price?: PriceTicks;
}

let trades = 0;

export function executionOf(order: OrderTerms, quantity: number, change: Execute = {}): Execution {
  const price = change.price ?? order.price;
  const isMarket = order.type === "market";
  const rate = isMarket ? INSTRUMENT.takerFee : INSTRUMENT.makerFee;
  return {
    tradeId: `t${++trades}`,
    exchangeOrderId: `x-${order.id}`,
    side: order.side,
    price,
    quantity: lots(quantity),
    fee: feeOn(notional(INSTRUMENT, price, lots(quantity)), rate),
    feeAsset: "USDT",
    liquidity: isMarket ? "taker" : "maker",
    at: at(0),
    ...change,
  };
}

/** One bot that events are fed to. Time goes on by one with each event. */
export class Bench {
  state: GridState;
  now = 1_000;
  last: Step;
  /** Of every step so far. */
  readonly records: StoreRecord[] = [];
  readonly commands: Command[] = [];

  constructor(bot: Bot, ledger: BotLedger = emptyLedger(), rules: GridRules = DEFAULT_RULES) {
    this.state = openState(bot, ledger, resolveRules(bot, rules));
    this.last = { state: this.state, records: [], commands: [] };
  }

  /** Feeds one event twice to a frozen state: both answers are the same, and the state is what it was. */
  feed(event: GridEvent): Step {
    deepFreeze(this.state);
    deepFreeze(event);
    const first = step(this.state, event);
    const second = step(this.state, event);
    if (textOf(first) !== textOf(second)) expect.fail(`${event.kind} gave two different steps`);
    this.state = first.state;
    this.last = first;
    this.records.push(...first.records);
    this.commands.push(...first.commands);
    return first;
  }

  accept(order: OrderRef): Step {
    return this.feed({
      kind: "orderAccepted",
      at: this.tickOn(),
      order: nameOf(order),
      exchangeOrderId: `x-${order.id}`,
    });
  }

  reject(order: OrderRef, reason = "other"): Step {
    return this.feed({ kind: "orderRejected", at: this.tickOn(), order: nameOf(order), reason });
  }

  notSent(order: OrderRef, reason = "level_busy"): Step {
    return this.feed({ kind: "orderNotSent", at: this.tickOn(), order: nameOf(order), reason });
  }

  unknown(order: OrderRef): Step {
    return this.feed({ kind: "outcomeUnknown", at: this.tickOn(), order: nameOf(order) });
  }

  absent(order: OrderRef): Step {
    return this.feed({ kind: "orderNotFound", at: this.tickOn(), order: nameOf(order) });
  }

  /** An execution of `quantity` lots; the last one can be fed again as it is. */
  fill(order: OrderTerms, quantity: number = order.quantity, change: Execute = {}): Step {
    const now = this.tickOn();
    const execution = executionOf(order, quantity, { at: now, ...change });
    return this.feed({ kind: "fill", at: now, order: nameOf(order), execution });
  }

  closed(order: OrderRef, executed: number): Step {
    const exchangeOrderId = `x-${order.id}`;
    return this.feed({
      kind: "orderCanceled",
      at: this.tickOn(),
      order: nameOf(order),
      exchangeOrderId,
      executed,
    });
  }

  tick(price: number): Step {
    return this.feed({ kind: "tick", at: this.tickOn(), price: ticks(price) });
  }

  /** A timer after `delayMs`. */
  timer(delayMs: number): Step {
    this.now += delayMs - 1;
    return this.feed({ kind: "timer", at: this.tickOn() });
  }

  control(action: ControlAction): Step {
    return this.feed({ kind: "control", at: this.tickOn(), action, reason: "asked" });
  }

  snapshot(
    price: number,
    lists: {
      readonly orders?: readonly ExchangeOrder[];
      readonly fills?: readonly { readonly order: OrderRef; readonly execution: Execution }[];
      readonly seen?: readonly OrderRef[];
      readonly before?: GridState;
    } = {},
  ): Step {
    const { orders = [], fills = [], seen = [], before = this.state } = lists;
    return this.feed({
      kind: "snapshot",
      at: this.tickOn(),
      price: ticks(price),
      orders,
      fills,
      seen,
      baseOwned: undefined,
      before,
    });
  }

  slot(index: number): SlotState {
    return this.state.slots[index] ?? expect.fail(`no slot ${index}`);
  }

  /** The working order of a slot, or of the initial purchase. */
  order(slot: number): WorkingOrder {
    const { initial } = this.state;
    if (slot === INITIAL) {
      return initial.kind === "working" ? initial.order : expect.fail("the initial purchase does not work");
    }
    const { phase } = this.slot(slot);
    return phase.kind === "buying" || phase.kind === "selling"
      ? phase.order
      : expect.fail(`slot ${slot} is ${phase.kind}`);
  }

  /** What the grid's two ways to its total differ by, at a price that means nothing. */
  identityError(): bigint {
    return valueGrid(this.state, ticks(117)).identityError;
  }

  private tickOn(): Instant {
    this.now += 1;
    return at(this.now);
  }
}

/** A bot whose orders all rest, its initial purchase made: prices below `startPrice` bought, the others held. */
export function runningBench(startPrice: number, change: Partial<RangeSettings> = {}): Bench {
  const bench = new Bench(makeBot(startPrice, change));
  bench.snapshot(startPrice);
  for (const order of placedBy(bench.commands)) {
    bench.accept(order);
    if (order.type === "market") for (const sell of placedBy(bench.fill(order).commands)) bench.accept(sell);
  }
  return bench;
}

export function placedBy(commands: readonly Command[]): readonly OrderTerms[] {
  return commands.flatMap((command) => (command.kind === "placeOrder" ? [command.terms] : []));
}

/** `side slot generation quantity@price` of each order placed. */
export function placements({ commands }: Pick<Step, "commands">): readonly string[] {
  return placedBy(commands).map(
    ({ side, slot, generation, quantity, price }) =>
      `${side} ${slot === INITIAL ? "initial" : slot} #${generation} ${quantity}@${price}`,
  );
}

export function cancellations({ commands }: Pick<Step, "commands">): readonly string[] {
  return commands.flatMap((command) => (command.kind === "cancelOrder" ? [command.order.id] : []));
}

export function queries({ commands }: Pick<Step, "commands">): readonly string[] {
  return commands.flatMap((command) => (command.kind === "queryOrder" ? [command.order.id] : []));
}

/** The record of an order's new state. */
export function orderRecord(
  order: OrderTerms,
  status: OrderRecord["status"],
  change: Partial<OrderRecord> = {},
): OrderRecord {
  return {
    kind: "order",
    id: order.id,
    status,
    exchangeOrderId: `x-${order.id}`,
    progress: { executed: lots(0), quote: money(0n), fee: money(0n), baseFee: money(0n), tradeIds: [] },
    at: at(0),
    ...change,
  };
}

export function fillOf(order: OrderTerms, execution: Execution): Fill {
  return { ...execution, id: order.id };
}

export const usdt = parseMoney;

export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? `${each}n` : each));
}

/** Only what names an order: answers carry no terms. */
function nameOf({ id, slot, side, generation }: OrderRef): OrderRef {
  return { id, slot, side, generation };
}

function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const each of Object.values(value)) deepFreeze(each);
}
