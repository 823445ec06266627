/** Back-tests one grid over candles with the live bot's own `step`; the fill model is the only thing simulated. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { feeOn } from "../domain/amounts.ts";
import { assertNever } from "../domain/assert.ts";
import type { Execution } from "../domain/fill.ts";
import type { Bot, Totals } from "../domain/grid.ts";
import type { Instant } from "../domain/ids.ts";
import { notional } from "../domain/instrument.ts";
import type { OrderRef, OrderTerms } from "../domain/order.ts";
import type { Command, GridEvent } from "../strategy/events.ts";
import { emptyLedger } from "../strategy/empty-ledger.ts";
import type { Rules } from "../strategy/rules.ts";
import type { GridState } from "../strategy/state.ts";
import { openState } from "../strategy/state.ts";
import { step } from "../strategy/step.ts";
import { watchBand } from "../strategy/watch-band.ts";
import type { Candles } from "../venue/market/candles.ts";
import { EquityCurve } from "./equity-curve.ts";
import { RestingOrders } from "./resting-orders.ts";

/** `touch`: a limit is filled when the price reaches it; `through`: when it goes one tick beyond. */
export type FillModel = "touch" | "through";

export interface RunOptions {
  readonly bot: Bot;
  readonly rules: Rules;
  readonly fill: FillModel;
  /** Called for every execution, in order, with the totals that it leaves. */
  readonly onFill?: (order: OrderRef, execution: Execution, totals: Totals) => void;
  /** Called about every 100,000 candles with the number done. */
  readonly onProgress?: (candles: number) => void;
}

export interface BacktestOptions extends RunOptions {
  readonly candles: Candles;
}

export interface BacktestOutcome {
  readonly state: GridState;
  readonly lastPrice: PriceTicks;
  /** The largest fall of equity from its running maximum, in quote, taken at the start and at each close. */
  readonly maxDrawdown: Money;
}

const PROGRESS_EVERY = 100_000;

/** Runs the grid over all candles. */
export function runBacktest({ candles, ...options }: BacktestOptions): BacktestOutcome {
  const run = new BacktestRun(options);
  run.feed(candles);
  return run.finish();
}

/**
 * A back-test over candles that come in pieces, so that it needs no more memory for a longer time. A candle's path is
 * open → low → high → close when it closes at or above its open, else open → high → low → close, with the gap from
 * the previous close before it. A falling stretch fills buys down to its end, a rising one sells up to its end, each
 * at its own limit as maker.
 */
export class BacktestRun {
  readonly #market: SimulatedMarket;
  readonly #equity: EquityCurve;
  readonly #onProgress: RunOptions["onProgress"];
  #done = 0;
  #lastPrice = 0;

  constructor(options: RunOptions) {
    this.#market = new SimulatedMarket(options);
    this.#equity = new EquityCurve(options.bot.instrument);
    this.#onProgress = options.onProgress;
  }

  /** The next candles, at least one. */
  feed(candles: Candles): void {
    const { open, high, low, close, timestamp, length, intervalMs } = candles;
    const [market, equity, onProgress] = [this.#market, this.#equity, this.#onProgress];
    if (this.#done === 0) {
      market.start(open[0] as PriceTicks, timestamp[0] as Instant);
      if (market.hasTraded) equity.rebase(market.takeTotals());
    }
    let { below, above } = market.band;
    for (let i = 0; i < length; i++) {
      const lowest = low[i] as number;
      const highest = high[i] as number;
      const last = close[i] as number;
      if (lowest <= below || highest >= above) {
        const at = timestamp[i] as number;
        const quarter = intervalMs / 4;
        const first = open[i] as number;
        const rises = last >= first;
        market.moveTo(first, at);
        market.moveTo(rises ? lowest : highest, at + quarter);
        market.moveTo(rises ? highest : lowest, at + 2 * quarter);
        market.moveTo(last, at + 3 * quarter);
        ({ below, above } = market.band);
        if (market.hasTraded) equity.rebase(market.takeTotals());
      }
      equity.close(last);
      if (onProgress && (this.#done + i + 1) % PROGRESS_EVERY === 0) onProgress(this.#done + i + 1);
    }
    this.#done += length;
    this.#lastPrice = close[length - 1] as number;
  }

  finish(): BacktestOutcome {
    return {
      state: this.#market.state,
      lastPrice: this.#lastPrice as PriceTicks,
      maxDrawdown: this.#equity.maxDrawdown(),
    };
  }
}

/** The market and the exchange of a back-test: endless depth, no delay, every request accepted. */
class SimulatedMarket {
  state: GridState;
  band: { below: number; above: number } = { below: 0, above: 0 };
  hasTraded = false;
  readonly #options: RunOptions;
  readonly #resting: RestingOrders;
  readonly #through: number;
  /** The state that `band` was made from. */
  #seen: GridState;
  #price = 0;
  #at = 0;
  #orders = 0;
  #trades = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#resting = new RestingOrders();
    this.#through = options.fill === "through" ? 1 : 0;
    this.state = openState(options.bot, emptyLedger(), options.rules);
    this.#seen = this.state;
  }

  /** The first price: the bot sees an exchange without orders and sets its grid up. */
  start(price: PriceTicks, at: Instant): void {
    this.#price = price;
    this.#at = at;
    this.#feed({
      kind: "snapshot",
      at,
      price,
      orders: [],
      fills: [],
      seen: [],
      baseOwned: undefined,
      before: this.state,
    });
    this.#look();
  }

  /** Lets the price move in a straight line to `target`; the orders on its way fill in the order of the way. */
  moveTo(target: number, at: number): void {
    this.#at = at;
    const rising = target > this.#price;
    if (target !== this.#price) {
      for (;;) {
        const order = rising
          ? this.#resting.takeSell(target - this.#through)
          : this.#resting.takeBuy(target + this.#through);
        if (order === undefined) break;
        this.#price = order.terms.price;
        this.#execute(order, "maker");
      }
    }
    this.#price = target;
    if (target >= this.band.above || target <= this.band.below) {
      this.#feed({ kind: "tick", at: at as Instant, price: target as PriceTicks });
    }
    if (this.state !== this.#seen) this.#look();
  }

  takeTotals(): GridState["totals"] {
    this.hasTraded = false;
    return this.state.totals;
  }

  #look(): void {
    this.#seen = this.state;
    this.band = watchBand(this.state);
  }

  #feed(event: GridEvent): void {
    const { state, commands } = step(this.state, event);
    this.state = state;
    if (event.kind === "fill") this.#options.onFill?.(event.order, event.execution, state.totals);
    for (const command of commands) this.#obey(command);
  }

  #obey(command: Command): void {
    switch (command.kind) {
      case "placeOrder": {
        const order = command.terms;
        const exchangeOrderId = String(++this.#orders);
        this.#feed({ kind: "orderAccepted", at: this.#at as Instant, order, exchangeOrderId });
        if (order.type === "market" || this.#crosses(order))
          this.#execute({ terms: order, exchangeOrderId }, "taker");
        else this.#resting.add({ terms: order, exchangeOrderId });
        return;
      }
      case "cancelOrder": {
        const { order, exchangeOrderId } = command;
        this.#resting.remove(order);
        this.#feed({ kind: "orderCanceled", at: this.#at as Instant, order, exchangeOrderId, executed: 0 });
        return;
      }
      case "queryOrder":
        return;
      default:
        return assertNever(command);
    }
  }

  #crosses({ side, price }: OrderTerms): boolean {
    return side === "buy" ? price >= this.#price : price <= this.#price;
  }

  #execute(resting: { terms: OrderTerms; exchangeOrderId: string }, liquidity: "maker" | "taker"): void {
    const { terms, exchangeOrderId } = resting;
    const { instrument } = this.#options.bot;
    const price = (liquidity === "maker" ? terms.price : this.#price) as PriceTicks;
    const rate = liquidity === "maker" ? instrument.makerFee : instrument.takerFee;
    const execution: Execution = {
      tradeId: String(++this.#trades),
      exchangeOrderId,
      side: terms.side,
      price,
      quantity: terms.quantity,
      fee: feeOn(notional(instrument, price, terms.quantity), rate),
      feeAsset: instrument.quote,
      liquidity,
      at: this.#at as Instant,
    };
    this.hasTraded = true;
    this.#feed({ kind: "fill", at: execution.at, order: terms, execution });
  }
}
