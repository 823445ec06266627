/** A window grid around 1000 and the words to talk about its levels by price. */
import { expect } from "vitest";
import type { Bot } from "../../../src/domain/grid.ts";
import type { OrderTerms, WorkingOrder } from "../../../src/domain/order.ts";
import type { StoreRecord } from "../../../src/domain/records.ts";
import { createBot } from "../../../src/strategy/create-bot.ts";
import { emptyLedger } from "../../../src/strategy/empty-ledger.ts";
import type { Step } from "../../../src/strategy/events.ts";
import type { GridRules, WindowSettings } from "../../../src/strategy/settings.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import type { SlotState } from "../../../src/strategy/state.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import { Bench, CODE, INSTRUMENT, at, placedBy, ticks } from "./strategy-kit.ts";

/** Levels every 10 USDT, 50 USDT each: 50 lots at 1000. */
export const WINDOW: WindowSettings = {
  lattice: "window",
  priceInterval: "10",
  orderQuantity: "50",
  minOrderValue: "5",
  anchorPrice: "1000",
};

type RuleChange = Partial<Omit<GridRules, "window">> & { readonly window?: Partial<GridRules["window"]> };

/** Three levels to each side, one of hysteresis. */
export function windowRules({ window, ...change }: RuleChange = {}): GridRules {
  const levels = { buyLevels: 3, sellLevels: 3, hysteresis: 1, bufferRatio: "0.1" };
  return { ...DEFAULT_RULES, ...change, window: { ...levels, ...window } };
}

export function windowBot(price: number, change: Partial<WindowSettings> = {}, rules = windowRules()): Bot {
  return createBot({
    code: CODE,
    market: { exchange: "sim", account: "main", symbol: "BTC/USDT" },
    instrument: INSTRUMENT,
    settings: { ...WINDOW, ...change },
    rules,
    price: ticks(price),
    createdAt: at(0),
  });
}

/** A window grid that has read its exchange at `price`; nothing is answered yet. */
export function newWindow(price: number, change: RuleChange = {}): Bench {
  const rules = windowRules(change);
  const bench = new Bench(windowBot(price, {}, rules), emptyLedger(), rules);
  bench.snapshot(price);
  return bench;
}

/** The same with all of its orders resting. */
export function runningWindow(price: number, change: RuleChange = {}): Bench {
  const bench = newWindow(price, change);
  acceptAll(bench, bench.last);
  return bench;
}

/** Accepts what a step has placed. */
export function acceptAll(bench: Bench, { commands }: Pick<Step, "commands">): void {
  for (const order of placedBy(commands)) bench.accept(order);
}

/** Fills a resting order and lets what follows from it rest. */
export function fillAt(bench: Bench, side: "buy" | "sell", price: number): Step {
  const filled = bench.fill(orderAt(bench, side, price).terms);
  acceptAll(bench, filled);
  return filled;
}

export function orderAt(bench: Bench, side: "buy" | "sell", price: number): WorkingOrder {
  const found = workingOrders(bench.state).find(({ terms }) => terms.side === side && terms.price === price);
  return found ?? expect.fail(`no ${side} works at ${price}`);
}

/** The slot that buys at `price`. */
export function slotAt(bench: Bench, price: number): SlotState {
  return (
    bench.state.slots.find(({ terms }) => terms.buyPrice === price) ?? expect.fail(`no slot at ${price}`)
  );
}

/** `side quantity@price` of each order that a step placed. */
export function placed(result: Pick<Step, "commands">): readonly string[] {
  return placedBy(result.commands).map(textOfOrder);
}

/** What a step has cancelled, in the same words. */
export function canceled(bench: Bench, { commands }: Pick<Step, "commands">): readonly string[] {
  const ids = commands.flatMap((command) => (command.kind === "cancelOrder" ? [command.order.id] : []));
  const sent = placedBy(bench.commands);
  return ids.map((id) => textOfOrder(sent.find((order) => order.id === id) ?? expect.fail(`${id} unknown`)));
}

/** All that works, lowest price first. */
export function working(bench: Bench): readonly string[] {
  return workingOrders(bench.state)
    .map(({ terms }) => terms)
    .sort((a, b) => a.price - b.price)
    .map(textOfOrder);
}

/** `type detail` of the events among records. */
export function events(records: readonly StoreRecord[]): readonly string[] {
  return records.flatMap((record) =>
    record.kind === "event" ? [`${record.type} ${Object.values(record.detail).join(" ")}`.trim()] : [],
  );
}

function textOfOrder({ side, quantity, price }: OrderTerms): string {
  return `${side} ${quantity}@${price}`;
}
