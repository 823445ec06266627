/** What a trade and the end of an order do to balances, orders and fills, and who is told of it. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { addLots, addMoney, subtractLots, subtractMoney } from "../../domain/amounts.ts";
import type { Execution } from "../../domain/fill.ts";
import type { Instant } from "../../domain/ids.ts";
import { notional } from "../../domain/instrument.ts";
import type { VenueEvent } from "./commands.ts";
import type { Ledger } from "./ledger.ts";
import type { FeeRule, Market } from "./market.ts";
import { assetSpent, feeIn, historyOf, times } from "./market.ts";
import type { VenueOrder, VenueOrderStatus } from "./order-history.ts";
import { viewOf } from "./order-history.ts";

export class Settlement {
  readonly #ledger: Ledger;
  readonly #fees: FeeRule;
  readonly #listen: (event: VenueEvent) => void;
  #trades = 0;

  constructor(ledger: Ledger, fees: FeeRule, listen: (event: VenueEvent) => void) {
    this.#ledger = ledger;
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
    historyOf(market, order.account).add(order);
    this.#ledger.lock(
      order.account,
      assetSpent(market.instrument, order.side),
      lockOf(order, order.quantity),
    );
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
    if (maker) this.#settle(market, maker, price, quantity, "maker", at);
    if (taker) this.#settle(market, taker, price, quantity, "taker", at);
  }

  /** Closes an order that has something left, and frees what that had locked. */
  end(market: Market, order: VenueOrder, status: VenueOrderStatus): void {
    const left = subtractLots(order.quantity, order.executed);
    this.#ledger.unlock(order.account, assetSpent(market.instrument, order.side), lockOf(order, left));
    if (order.resting) market.book.cancel(order.resting);
    order.status = status;
    historyOf(market, order.account).close(order);
    this.#tellOrder(market, order);
  }

  #settle(
    market: Market,
    order: VenueOrder,
    price: PriceTicks,
    quantity: QuantityLots,
    liquidity: Execution["liquidity"],
    at: Instant,
  ): void {
    const { instrument } = market;
    const { base, quote, symbol } = instrument;
    const { account, id, side, exchangeOrderId } = order;
    const value = notional(instrument, price, quantity);
    const rate = liquidity === "maker" ? instrument.makerFee : instrument.takerFee;
    const lots = times(instrument.lotSize, quantity);
    const feeInBase = side === "buy" && this.#fees.asset === "base";
    const fee = feeIn(this.#fees, feeInBase ? lots : value, rate);
    this.#ledger.unlock(account, assetSpent(instrument, side), lockOf(order, quantity));
    if (side === "sell") {
      this.#ledger.debit(account, base, lots);
      this.#ledger.credit(account, quote, subtractMoney(value, fee));
    } else {
      this.#ledger.debit(account, quote, feeInBase ? value : addMoney(value, fee));
      this.#ledger.credit(account, base, feeInBase ? subtractMoney(lots, fee) : lots);
    }
    order.executed = addLots(order.executed, quantity);
    order.quote = addMoney(order.quote, value);
    if (order.resting) market.book.fill(order.resting, quantity);
    if (order.executed === order.quantity) {
      order.status = "filled";
      historyOf(market, account).close(order);
    }
    const execution: Execution = {
      tradeId: String(market.lastTradeId),
      exchangeOrderId,
      side,
      price,
      quantity,
      fee,
      feeAsset: feeInBase ? base : quote,
      liquidity,
      at,
    };
    historyOf(market, account).addFill(market.lastTradeId, execution);
    this.#listen({ kind: "fill", account, symbol, id, execution });
    this.#tellOrder(market, order);
  }

  #tellOrder(market: Market, order: VenueOrder): void {
    const { symbol } = market.instrument;
    this.#listen({ kind: "order", account: order.account, symbol, order: viewOf(order) });
  }
}

function lockOf(order: VenueOrder, quantity: QuantityLots): Money {
  return times(order.lockPerLot, quantity);
}
