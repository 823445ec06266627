/**
 * A tiny exchange and its messenger: it holds what the bot sends, fills only what it holds, and tells of it late, in
 * any order, or not at all. Which of the things that can happen next does happen, a number decides.
 */
import type { QuantityLots } from "../../../src/domain/amounts.ts";
import type { Execution } from "../../../src/domain/fill.ts";
import type { Bot } from "../../../src/domain/grid.ts";
import type { ClientOrderId } from "../../../src/domain/ids.ts";
import type { LastOrder } from "../../../src/domain/ledger.ts";
import type { OrderTerms, TerminalStatus } from "../../../src/domain/order.ts";
import { isTerminal } from "../../../src/domain/order.ts";
import type { Command, ControlAction, GridEvent } from "../../../src/strategy/events.ts";
import { workingOrders } from "../../../src/strategy/working-orders.ts";
import type { Reached } from "./reached.ts";
import { Bench, at, executionOf, lots, shown, ticks, usdt } from "./strategy-kit.ts";

/** `sent`: on its way. `lost`: it never arrived, and never will. */
export type HeldStatus = "sent" | "lost" | "open" | "filled" | "canceled" | "refused";

export interface HeldOrder {
  readonly terms: OrderTerms;
  status: HeldStatus;
  readonly fills: Execution[];
  /** True once the bot was told of its fate, or that nobody knows it. */
  isAnswered: boolean;
}

export class ExchangeModel {
  bench: Bench;
  /** Every order whose intent was stored, in the order of arrival. */
  readonly orders = new Map<ClientOrderId, HeldOrder>();
  readonly reached: Reached;
  #requests: Command[] = [];
  /** Told to the bot one by one, in any order. */
  #messages: GridEvent[] = [];
  readonly #queries = new Set<ClientOrderId>();
  readonly #stored = new Set<string>();
  readonly #ended = new Map<ClientOrderId, TerminalStatus>();
  #price: number;

  constructor(bot: Bot, reached: Reached) {
    this.bench = new Bench(bot);
    this.reached = reached;
    this.#price = bot.startPrice;
    this.#tell({
      kind: "snapshot",
      at: at(0),
      price: bot.startPrice,
      orders: [],
      fills: [],
      seen: [],
      baseOwned: undefined,
      before: this.bench.state,
    });
  }

  /** One thing happens: `choice` picks it among those that can, `size` says how much of it. */
  advance(choice: number, size: number): void {
    const possible = this.#possible(size);
    possible[choice % possible.length]?.();
  }

  /** Kills the bot: everything that rests is cancelled. */
  kill(): void {
    this.#tell({ kind: "control", at: at(++this.bench.now), action: "kill", reason: "the end" });
    this.settleDown();
  }

  /** No more trades and no more trouble: everything on its way arrives and is told, until nothing is left. */
  settleDown(): void {
    for (let round = 0; round < 1_000; round++) {
      const request = this.#requests[0];
      const message = this.#messages[0];
      const query = this.#queries.values().next().value;
      if (request) this.#take(request, (order) => this.#accept(order));
      else if (message) this.#deliver(message);
      else if (query) this.#answerQuery(query);
      else return;
    }
    throw new Error("the bot and its exchange never come to rest");
  }

  /** Lots that the exchange has sold to the bot, less those bought from it. */
  position(): number {
    let position = 0;
    for (const { fills } of this.orders.values()) {
      for (const { side, quantity } of fills) position += side === "buy" ? quantity : -quantity;
    }
    return position;
  }

  /** Orders that may still execute, wherever they are. */
  live(): readonly HeldOrder[] {
    return [...this.orders.values()].filter(({ status }) => status === "sent" || status === "open");
  }

  #possible(size: number): (() => void)[] {
    const actions: (() => void)[] = [
      () => this.#tick(90 + (size % 60)),
      () => void this.#tell({ kind: "timer", at: at((this.bench.now += 1_000 * (size % 90))) }),
      () => this.#control(size),
    ];
    if (size % 4 === 0) actions.push(() => this.#reconcile());
    // A restart in the middle of the initial purchase is a case of its own.
    if (size % 9 === 0) actions.push(() => this.#restart());
    for (const request of this.#requests) {
      actions.push(() => this.#take(request, (order) => this.#arrive(order, size)));
    }
    for (const message of this.#messages) actions.push(() => this.#deliver(message));
    for (const id of this.#queries) actions.push(() => this.#answerQuery(id));
    for (const order of this.orders.values()) {
      if (order.status === "sent") actions.push(() => this.#arrive(order, size));
      if (order.status !== "open") continue;
      // Filling is what makes a grid: twice as likely as anything else.
      actions.push(
        () => this.#fill(order, size),
        () => this.#fill(order, order.terms.quantity),
      );
      if (size % 5 === 0) actions.push(() => this.#close(order));
    }
    return actions;
  }

  #tick(price: number): void {
    this.#price = price;
    this.#tell({ kind: "tick", at: at(++this.bench.now), price: ticks(price) });
  }

  /** Mostly resume, so that the bot trades; never kill, which ends it. */
  #control(size: number): void {
    const actions: ControlAction[] = [
      "pause",
      "stop",
      "drain",
      "halt",
      "resume",
      "resume",
      "resume",
      "resume",
    ];
    const action = actions[size % actions.length] ?? "resume";
    this.#tell({ kind: "control", at: at(++this.bench.now), action, reason: "drawn" });
    if (action !== "resume" && size % 3 > 0) this.#control(4);
  }

  /** Takes a request of the bot off the wire. */
  #take(request: Command, meet: (order: HeldOrder) => void): void {
    this.#requests.splice(this.#requests.indexOf(request), 1);
    switch (request.kind) {
      case "placeOrder": {
        const { terms } = request;
        this.#checkNewest(terms);
        const order: HeldOrder = { terms, status: "sent", fills: [], isAnswered: false };
        this.orders.set(terms.id, order);
        return meet(order);
      }
      case "cancelOrder": {
        const order = this.orders.get(request.order.id);
        if (order?.status === "open") return this.#close(order);
        this.#queries.add(request.order.id);
        return;
      }
      case "queryOrder":
        this.#queries.add(request.order.id);
    }
  }

  /** No id is sent twice, and generations only grow. */
  #checkNewest({ id, slot, side, generation }: OrderTerms): void {
    for (const { terms } of this.orders.values()) {
      const isOlder = terms.slot !== slot || terms.side !== side || terms.generation < generation;
      if (!isOlder) throw new Error(`${id} was sent after ${terms.id}`);
    }
  }

  /** What becomes of a request to place: `size` decides. */
  #arrive(order: HeldOrder, size: number): void {
    const { terms } = order;
    const { bench } = this;
    if (order.isAnswered) {
      // Its answer was lost on the way; now it arrives, or the request dies.
      order.status = size % 2 === 0 ? "open" : "lost";
      return;
    }
    switch (size % 12) {
      case 0:
        this.orders.delete(terms.id);
        this.reached.notSent += 1;
        order.isAnswered = true;
        return this.#post({ kind: "orderNotSent", at: at(bench.now), order: terms, reason: "level_busy" });
      case 1:
        order.status = "refused";
        order.isAnswered = true;
        return this.#post({ kind: "orderRejected", at: at(bench.now), order: terms, reason: "other" });
      case 2:
      case 3:
        order.isAnswered = true;
        return this.#post({ kind: "outcomeUnknown", at: at(bench.now), order: terms });
      case 4:
        order.status = "open";
        order.isAnswered = true;
        return this.#post({ kind: "outcomeUnknown", at: at(bench.now), order: terms });
      default:
        return this.#accept(order);
    }
  }

  #accept(order: HeldOrder): void {
    const { terms } = order;
    order.status = "open";
    order.isAnswered = true;
    const exchangeOrderId = `x-${terms.id}`;
    this.#post({ kind: "orderAccepted", at: at(this.bench.now), order: terms, exchangeOrderId });
  }

  #fill(order: HeldOrder, size: number): void {
    const { terms } = order;
    const left = terms.quantity - executedOf(order);
    const quantity = Math.max(1, size % (left + 1));
    // A market order pays what the price is; fees of odd sizes leave odd remainders.
    const price = terms.type === "market" ? ticks(this.#price) : terms.price;
    const fee = usdt(`0.0${(size % 97) + 1}0000000000000${size % 7}`);
    const execution = executionOf(terms, Math.min(quantity, left), { price, fee, at: at(++this.bench.now) });
    order.fills.push(execution);
    if (executedOf(order) === terms.quantity) order.status = "filled";
    this.#post({ kind: "fill", at: execution.at, order: terms, execution });
    if (size % 11 === 0) this.#post({ kind: "fill", at: execution.at, order: terms, execution });
  }

  #close(order: HeldOrder): void {
    order.status = "canceled";
    const { terms } = order;
    if (executedOf(order) > 0) this.reached.partlyFilledThenClosed += 1;
    const exchangeOrderId = `x-${terms.id}`;
    const executed = executedOf(order);
    this.#post({ kind: "orderCanceled", at: at(this.bench.now), order: terms, exchangeOrderId, executed });
  }

  #post(event: GridEvent): void {
    this.#messages.push(event);
  }

  #deliver(message: GridEvent): void {
    this.#messages.splice(this.#messages.indexOf(message), 1);
    this.#tell(message);
  }

  /** What a lookup tells: the order, its fills, and whether it is closed; or, of a dead request, its absence. */
  #answerQuery(id: ClientOrderId): void {
    const order = this.orders.get(id);
    this.#queries.delete(id);
    // One lookup at a time: what was asked meanwhile is answered by this one.
    this.#requests = this.#requests.filter(({ kind, ...rest }) => {
      return !(kind === "queryOrder" && "order" in rest && rest.order.id === id);
    });
    if (!order) return;
    // The request is dead by now, or was refused and the answer lost with the process: there is nothing to find.
    if (order.status === "sent" || order.status === "refused") order.status = "lost";
    const { terms, status } = order;
    const now = at(this.bench.now);
    const isUnknown = this.#working(id)?.kind === "unknown";
    if (status === "lost") {
      if (isUnknown) this.reached.unknownThenAbsent += 1;
      return void this.#tell({ kind: "orderNotFound", at: now, order: terms });
    }
    if (isUnknown) this.reached.unknownThenOpen += 1;
    const exchangeOrderId = `x-${id}`;
    this.#tell({ kind: "orderAccepted", at: now, order: terms, exchangeOrderId });
    for (const execution of order.fills) {
      this.#tell({ kind: "fill", at: execution.at, order: terms, execution });
    }
    if (status === "open" || !this.#working(id)) return;
    this.#tell({
      kind: "orderCanceled",
      at: now,
      order: terms,
      exchangeOrderId,
      executed: executedOf(order),
    });
  }

  #working(id: ClientOrderId) {
    return workingOrders(this.bench.state).find(({ terms }) => terms.id === id);
  }

  /** Feeds one event the way a runner does: a step that would store a fill again is dropped whole. */
  #tell(event: GridEvent): void {
    const { bench } = this;
    const before = bench.state;
    if (event.kind === "fill" && this.#working(event.order.id)?.kind === "pending") {
      this.reached.fillBeforeAnswer += 1;
    }
    const { records, commands } = bench.feed(event);
    if (records.some((record) => record.kind === "fill" && this.#stored.has(record.fill.tradeId))) {
      bench.state = before;
      bench.last = { state: before, records: [], commands: [] };
      this.reached.duplicateFill += 1;
      return;
    }
    for (const record of records) {
      if (record.kind === "fill") this.#stored.add(record.fill.tradeId);
      if (record.kind === "trade") this.reached.trades += 1;
      if (record.kind === "order" && isTerminal(record.status)) this.#ended.set(record.id, record.status);
    }
    if (event.kind === "orderCanceled" && commands.some(({ kind }) => kind === "queryOrder")) {
      this.reached.closedBeforeFills += 1;
    }
    this.#requests.push(...commands);
  }

  /** What a reading of the exchange's lists shows: open orders, closed ones that the bot misses, new fills. */
  #reconcile(): void {
    const known = [...this.orders.values()].filter(({ status }) => status !== "sent" && status !== "lost");
    const orders = known.flatMap((order) => {
      const { terms, status } = order;
      if (status === "open") return [shown(terms, "open", executedOf(order))];
      if (status === "refused" || !this.#working(terms.id)) return [];
      return [shown(terms, status === "filled" ? "filled" : "canceled", executedOf(order))];
    });
    const fills = known.flatMap(({ terms, fills: all }) =>
      all
        .filter(({ tradeId }) => !this.#stored.has(tradeId))
        .map((execution) => ({ order: terms, execution })),
    );
    const seen = known.filter(({ status }) => status !== "refused").map(({ terms }) => terms);
    const now = at(++this.bench.now);
    this.#tell({
      kind: "snapshot",
      at: now,
      price: ticks(this.#price),
      orders,
      fills,
      seen,
      baseOwned: undefined,
      before: this.bench.state,
    });
  }

  /** The bot's process dies and starts again: what was not stored or was still to be told is gone. */
  #restart(): void {
    const { bot, mode, initial, slots, totals } = this.bench.state;
    const { now } = this.bench;
    const working = workingOrders(this.bench.state).filter(({ terms }) => this.orders.has(terms.id));
    const lastOrders = new Map<string, LastOrder>();
    for (const { terms } of this.orders.values()) {
      const { slot, side, generation, id } = terms;
      const isWorking = working.some((order) => order.terms.id === id);
      const status = isWorking ? "working" : (this.#ended.get(id) ?? "canceled");
      lastOrders.set(`${slot}:${side}`, { slot, side, generation, status });
    }
    this.bench = new Bench(bot, {
      mode,
      modeReason: "",
      initialDone: initial.kind === "done",
      holdings: new Map(
        slots.map(({ terms, inventory, dust, phase }) => [
          terms.slot,
          {
            wants:
              phase.kind === "holding" || phase.kind === "selling" ? ("sell" as const) : ("buy" as const),
            inventory,
            dust,
          },
        ]),
      ),
      working: working.map((order) => ({ order, validUntil: at(now) })),
      lastOrders: [...lastOrders.values()],
      totals,
      fillCursor: undefined,
      lastIntentAt: at(now),
    });
    this.bench.now = now;
    this.#requests = [];
    this.#messages = [];
    this.#queries.clear();
    this.reached.restarts += 1;
    this.#reconcile();
  }
}

function executedOf({ fills }: HeldOrder): QuantityLots {
  return lots(fills.reduce((sum, { quantity }) => sum + quantity, 0));
}
