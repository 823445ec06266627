/** The simplest venue that keeps the same promises: one list of orders, sorted anew for every taker; no money. */
import type { OrderType } from "../../../src/domain/order.ts";
import type { FillRule, SelfTradeMode, TimeInForce } from "../../../src/venue/matching/commands.ts";
import type { Side } from "../../../src/domain/ids.ts";

export interface NaiveOrder {
  readonly number: number;
  readonly account: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: number;
  readonly quantity: number;
  executed: number;
  status: "open" | "filled" | "canceled" | "expired";
}

export interface NaivePlace extends Pick<NaiveOrder, "account" | "side" | "type" | "price" | "quantity"> {
  readonly timeInForce: TimeInForce;
}

export class NaiveVenue {
  readonly orders: NaiveOrder[] = [];
  /** Each execution as `tradeId account order side quantity@price liquidity`. */
  readonly executions: string[] = [];
  readonly #selfTrade: SelfTradeMode;
  readonly #hasMarketDepth: boolean;
  #marketPrice: number | undefined = undefined;
  #trades = 0;

  constructor(selfTrade: SelfTradeMode, depth: "unlimited" | "book") {
    this.#selfTrade = selfTrade;
    this.#hasMarketDepth = depth === "unlimited";
  }

  /** One side as it rests, in priority. */
  resting(side: Side): NaiveOrder[] {
    return this.orders
      .filter((order) => order.side === side && order.status === "open")
      .sort((a, b) => (side === "buy" ? b.price - a.price : a.price - b.price) || a.number - b.number);
  }

  /** True where the venue takes the order. */
  place(terms: NaivePlace): boolean {
    const { account, side, type, price, quantity, timeInForce } = terms;
    const reaches = (other: number): boolean =>
      type === "market" || (side === "buy" ? other <= price : other >= price);
    const marketPrice = this.#hasMarketDepth ? this.#marketPrice : undefined;
    const beatsMarket = (other: number): boolean =>
      marketPrice === undefined || (side === "buy" ? other < marketPrice : other > marketPrice);
    const met = this.resting(side === "buy" ? "sell" : "buy").filter(
      (maker) => reaches(maker.price) && beatsMarket(maker.price),
    );
    const meetsMarket = marketPrice !== undefined && reaches(marketPrice);
    if (type === "limit_maker" && (met.length > 0 || meetsMarket)) return false;
    if (type !== "limit" && timeInForce !== "GTC") return false;

    const trades: (() => void)[] = [];
    const leaving: NaiveOrder[] = [];
    const taker: NaiveOrder = {
      ...{ number: this.orders.length + 1, account, side, type, price, quantity },
      executed: 0,
      status: "open",
    };
    let left = quantity;
    let stops = false;
    for (const maker of met) {
      if (left === 0 || stops) break;
      if (maker.account === account && this.#selfTrade !== "none") {
        if (this.#selfTrade !== "expire_taker") leaving.push(maker);
        stops = this.#selfTrade !== "expire_maker";
      } else {
        const lots = Math.min(left, maker.quantity - maker.executed);
        trades.push(() => this.#trade(taker, maker, maker.price, lots));
        left -= lots;
      }
    }
    if (left > 0 && !stops && meetsMarket) {
      const lots = left;
      trades.push(() => this.#trade(taker, undefined, marketPrice, lots));
      left = 0;
    }
    this.orders.push(taker);
    if (timeInForce !== "FOK" || left === 0) {
      for (const order of leaving) order.status = "expired";
      for (const trade of trades) trade();
    }
    const rests = type !== "market" && timeInForce === "GTC" && !stops;
    if (taker.status === "open" && !rests) taker.status = "expired";
    return true;
  }

  cancel(order: NaiveOrder): void {
    order.status = "canceled";
  }

  move(price: number, fill: FillRule, most: number): void {
    const isFirst = this.#marketPrice === undefined;
    this.#marketPrice = price;
    if (isFirst || !this.#hasMarketDepth) return;
    for (const side of ["buy", "sell"] as const) {
      for (const order of this.resting(side)) {
        const beyond = side === "buy" ? order.price - price : price - order.price;
        if (fill === "touch" ? beyond < 0 : beyond <= 0) continue;
        this.#trade(undefined, order, order.price, Math.min(most, order.quantity - order.executed));
      }
    }
  }

  #trade(
    taker: NaiveOrder | undefined,
    maker: NaiveOrder | undefined,
    price: number,
    quantity: number,
  ): void {
    this.#trades += 1;
    for (const order of [maker, taker]) {
      if (!order) continue;
      order.executed += quantity;
      if (order.executed === order.quantity) order.status = "filled";
      const liquidity = order === maker ? "maker" : "taker";
      const { number, side } = order;
      this.executions.push(
        `${this.#trades} ${order.account} ${number} ${side} ${quantity}@${price} ${liquidity}`,
      );
    }
  }
}
