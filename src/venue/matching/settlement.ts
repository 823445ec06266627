/** What a trade and the end of an order do to balances, orders and fills, and who is told of it. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { addLots, addMoney, subtractLots, subtractMoney } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { Instant } from "../../domain/ids.ts";
import { notional } from "../../domain/instrument.ts";
import type { VenueEvent } from "./commands.ts";
import { NO_SLOT } from "./book.ts";
import type { FeeRule, Market } from "./market.ts";
import { assetSpent, feeIn, times } from "./market.ts";
import type { VenueOrder, VenueOrderStatus } from "./order-history.ts";
import { viewOf } from "./order-history.ts";

export class Settlement {
  readonly #fees: FeeRule;
  readonly #listen: ((event: VenueEvent) => void) | undefined;
  #trades = 0;

  constructor(fees: FeeRule, listen: ((event: VenueEvent) => void) | undefined) {
    this.#fees = fees;
    this.#listen = listen;
  }

  /** How many trades there were, in all markets. */
  get trades(): number {
    return this.#trades;
  }

  /** Goes on counting from `trades`. */
  resume(trades: number): void {
    this.#trades = trades;
  }

  /** Takes a new order into its account's history, and locks what it may spend. */
  open(market: Market, order: VenueOrder): void {
    const { wallet, history } = order.trader;
    history.add(order);
    wallet.lock(assetSpent(market.instrument, order.side), lockOf(order, order.quantity));
    this.#tellOrder(market, order);
  }

  /** One trade; without a maker or a taker the market itself is the other side. */
  trade(
    market: Market,
    taker: VenueOrder | undefined,
    maker: VenueOrder | undefined,
    price: PriceTicks,
    quantity: QuantityLots,
    at: Instant,
  ): void {
    market.lastTradeId += 1;
    this.#trades += 1;
    const { instrument } = market;
    const terms: TradeTerms = {
      tradeId: String(market.lastTradeId),
      price,
      quantity,
      at,
      value: notional(instrument, price, quantity),
      base: times(instrument.lotSize, quantity),
    };
    if (maker) this.#settle(market, maker, terms, "maker");
    if (taker) this.#settle(market, taker, terms, "taker");
  }

  /** Closes an order that has something left, and frees what that had locked. */
  end(market: Market, order: VenueOrder, status: VenueOrderStatus): void {
    const left = subtractLots(order.quantity, order.executed);
    const { wallet, history } = order.trader;
    wallet.unlock(assetSpent(market.instrument, order.side), lockOf(order, left));
    if (order.slot !== NO_SLOT) market.book.side(order.side === "buy").remove(order.slot);
    order.slot = NO_SLOT;
    order.status = status;
    history.close(order);
    this.#tellOrder(market, order);
  }

  #settle(market: Market, order: VenueOrder, terms: TradeTerms, liquidity: Execution["liquidity"]): void {
    const { instrument } = market;
    const { trader, id, side, exchangeOrderId } = order;
    const { tradeId, price, quantity, at, value, base } = terms;
    const rate = liquidity === "maker" ? instrument.makerFee : instrument.takerFee;
    const feeInBase = side === "buy" && this.#fees.asset === "base";
    const fee = feeIn(this.#fees, feeInBase ? base : value, rate);
    const unlocked = lockOf(order, quantity);
    if (side === "sell") {
      trader.wallet.pay(instrument.base, base, unlocked);
      trader.wallet.credit(instrument.quote, subtractMoney(value, fee));
    } else {
      trader.wallet.pay(instrument.quote, feeInBase ? value : addMoney(value, fee), unlocked);
      trader.wallet.credit(instrument.base, feeInBase ? subtractMoney(base, fee) : base);
    }
    order.executed = addLots(order.executed, quantity);
    order.quote = addMoney(order.quote, value);
    if (order.slot !== NO_SLOT) market.book.side(side === "buy").fill(order.slot, quantity);
    if (order.executed === order.quantity) {
      order.slot = NO_SLOT;
      order.status = "filled";
      trader.history.close(order);
    }
    const feeAsset = feeInBase ? instrument.base : instrument.quote;
    const execution = { tradeId, exchangeOrderId, side, price, quantity, fee, feeAsset, liquidity, at };
    trader.history.addFill(execution);
    const { account } = trader;
    this.#listen?.({ kind: "fill", account, symbol: instrument.symbol, id, execution });
    this.#tellOrder(market, order);
  }

  #tellOrder(market: Market, order: VenueOrder): void {
    const { symbol } = market.instrument;
    const { account } = order.trader;
    this.#listen?.({ kind: "order", account, symbol, order: viewOf(order) });
  }
}

/** What both sides of a trade share: `value` in quote, `base` in base. */
interface TradeTerms extends Pick<Execution, "tradeId" | "price" | "quantity" | "at"> {
  readonly value: Money;
  readonly base: Money;
}

function lockOf(order: VenueOrder, quantity: QuantityLots): Money {
  return times(order.lockPerLot, quantity);
}
