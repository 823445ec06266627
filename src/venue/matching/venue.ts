/** The exchange core: accounts, orders, matching and fees. Deterministic; time is an argument, there is no I/O. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY, money, subtractLots } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Instant } from "../../domain/ids.ts";
import { instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import type { BookLevel } from "./book.ts";
import { fundsNeeded, lockPerLotOf, refusalOf, refused } from "./admission.ts";
import type { CancelCommand, CancelResult, FillRule, PlaceCommand, PlaceResult } from "./commands.ts";
import type { Portion, VenueOptions } from "./commands.ts";
import { NO_SLOT } from "./book.ts";
import type { AssetBalance } from "./ledger.ts";
import { Ledger } from "./ledger.ts";
import type { FeeRule, Market, Trader } from "./market.ts";
import { assetSpent, createMarket, crossedOrders, rest, traderOf } from "./market.ts";
import type { OrderHistory, OrderView, VenueOrder } from "./order-history.ts";
import { viewOf } from "./order-history.ts";
import type { Take } from "./plan-take.ts";
import { planTake } from "./plan-take.ts";
import { Settlement } from "./settlement.ts";
import type { VenueState } from "./venue-state.ts";
import { restoreMarket, stateOfMarket } from "./venue-state.ts";

/** Commands and reads of one exchange. Its time is the latest that it was told and never runs backwards. */
export class Venue {
  readonly #options: VenueOptions;
  readonly #markets = new Map<string, Market>();
  readonly #ledger = new Ledger();
  readonly #settlement: Settlement;
  readonly #fees: FeeRule;
  #now: Instant = instant(0);
  #lastOrderId = 0;

  constructor(options: VenueOptions) {
    const { instruments, filters, feeAsset = "quote", feeStep = money(1n), listen } = options;
    this.#options = options;
    this.#fees = { asset: feeAsset, step: feeStep };
    this.#settlement = new Settlement(this.#fees, listen);
    for (const instrument of instruments) {
      const { symbol } = instrument;
      this.#markets.set(symbol, createMarket(instrument, filters?.get(symbol) ?? {}));
    }
  }

  /** How many trades there were, in all markets. */
  get trades(): number {
    return this.#settlement.trades;
  }

  deposit(account: string, asset: string, amount: Money): void {
    this.#ledger.wallet(account).credit(asset, amount);
  }

  place(command: PlaceCommand, now: Instant): PlaceResult {
    const judged = this.#judge(command, now);
    if ("refusal" in judged) return judged.refusal;
    const { market, trader, lockPerLot, take } = judged;
    const order = this.#accept(market, trader, command, lockPerLot);
    const { timeInForce = "GTC" } = command;
    if (timeInForce !== "FOK" || take.quantity === order.quantity) {
      for (const own of take.ownMakers) this.#settlement.end(market, own, "expired");
      for (const { maker, price, quantity } of take.parts) {
        this.#settlement.trade(market, order, maker, price, quantity, this.#now);
      }
    }
    const canRest = order.type !== "market" && timeInForce === "GTC" && !take.stops;
    if (order.status === "open" && canRest) rest(market, order);
    else if (order.status === "open") this.#settlement.end(market, order, "expired");
    return { kind: "accepted", exchangeOrderId: order.exchangeOrderId };
  }

  /** What `place` would refuse the order with; undefined where it would accept it. */
  refusalOf(command: PlaceCommand, now: Instant): PlaceResult | undefined {
    const judged = this.#judge(command, now);
    return "refusal" in judged ? judged.refusal : undefined;
  }

  cancel(command: CancelCommand, now: Instant): CancelResult {
    this.#tell(now);
    if (this.#now > command.validUntil) return { kind: "expired" };
    const market = this.#markets.get(command.symbol);
    const order = market?.traders.get(command.account)?.history.byExchangeId(command.exchangeOrderId);
    if (!market || order?.status !== "open") return { kind: "not_found" };
    this.#settlement.end(market, order, "canceled");
    return { kind: "canceled", executed: order.executed };
  }

  /**
   * Moves a market. One of unlimited depth fills what its price crosses, as makers at their own limits: all of each
   * order, or the `portion` of it; what is left waits for the next move that crosses it. The first call only sets
   * the price.
   */
  movePrice(symbol: string, price: PriceTicks, at: Instant, fill: FillRule, portion?: Portion): void {
    this.#tell(at);
    const market = this.#market(symbol);
    const isFirst = market.price === undefined;
    market.price = { price, at: this.#now };
    if (isFirst || this.#options.depth === "book") return;
    this.#fillCrossed(market, crossedOrders(market, true, price, fill), portion);
    this.#fillCrossed(market, crossedOrders(market, false, price, fill), portion);
  }

  /** Executes `quantity` of a resting order at its own limit, with the market itself. */
  execute(
    account: string,
    symbol: string,
    exchangeOrderId: string,
    quantity: QuantityLots,
    at: Instant,
  ): void {
    this.#tell(at);
    const market = this.#market(symbol);
    const order = this.#trader(market, account).history.byExchangeId(exchangeOrderId);
    invariant(order !== undefined && order.slot !== NO_SLOT, `order ${exchangeOrderId} does not rest`);
    this.#settlement.trade(market, undefined, order, order.price, quantity, this.#now);
  }

  instrument(symbol: string): Instrument {
    return this.#market(symbol).instrument;
  }

  /** The last price that the market was moved to. */
  price(symbol: string): { readonly price: PriceTicks; readonly at: Instant } | undefined {
    return this.#market(symbol).price;
  }

  /** The limit of the best resting order: the highest of the buys, the lowest of the sells. */
  bestPrice(symbol: string, isBuy: boolean): PriceTicks | undefined {
    const side = this.#market(symbol).book.side(isBuy);
    const best = side.first();
    return best === NO_SLOT ? undefined : (side.price(best) as PriceTicks);
  }

  /** The `most` best prices of one side with all that rests there, best first. */
  depth(symbol: string, isBuy: boolean, most: number): readonly BookLevel[] {
    return this.#market(symbol).book.side(isBuy).levels(most);
  }

  /** All that rests at one price of one side. */
  quantityAt(symbol: string, isBuy: boolean, price: PriceTicks): QuantityLots {
    return this.#market(symbol).book.side(isBuy).quantityAt(price) as QuantityLots;
  }

  /** Everything that a venue of the same options needs to go on as this one. */
  state(): VenueState {
    return {
      now: this.#now,
      lastOrderId: this.#lastOrderId,
      trades: this.trades,
      balances: this.#ledger
        .entries()
        .flatMap(([account, wallet]) => wallet.balances().map((balance) => ({ account, ...balance }))),
      markets: [...this.#markets.values()].map(stateOfMarket),
    };
  }

  /** Goes on from `state`; for a venue in which nobody has ordered anything yet. */
  restore(state: VenueState): void {
    this.#now = state.now;
    this.#lastOrderId = state.lastOrderId;
    this.#settlement.resume(state.trades);
    for (const { account, ...balance } of state.balances) this.#ledger.wallet(account).set(balance);
    for (const stored of state.markets) {
      const market = this.#market(stored.symbol);
      restoreMarket(market, stored, (account) => this.#trader(market, account));
    }
  }

  /** The newest order with this client id, open or closed. */
  findByClientId(account: string, symbol: string, id: ClientOrderId): OrderView | undefined {
    const order = this.#history(account, symbol).byClientId(id);
    return order && viewOf(order);
  }

  findByExchangeId(account: string, symbol: string, exchangeOrderId: string): OrderView | undefined {
    const order = this.#history(account, symbol).byExchangeId(exchangeOrderId);
    return order && viewOf(order);
  }

  /** Oldest first. */
  openOrders(account: string, symbol: string): readonly OrderView[] {
    return this.#history(account, symbol).openOrders().map(viewOf);
  }

  /** Orders created at or after `since`, open and closed, oldest first. */
  ordersSince(account: string, symbol: string, since: Instant): readonly OrderView[] {
    return this.#history(account, symbol).ordersSince(since).map(viewOf);
  }

  /** Fills with a trade id above `tradeId`, ascending. */
  fillsAfter(account: string, symbol: string, tradeId: number): readonly Execution[] {
    return this.#history(account, symbol).fillsAfter(tradeId);
  }

  balances(account: string): readonly AssetBalance[] {
    return this.#ledger.balances(account);
  }

  #tell(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }

  #market(symbol: string): Market {
    const market = this.#markets.get(symbol);
    if (!market) throw new QuantmeshError("CONFIG_INVALID", `the venue has no market ${symbol}`);
    return market;
  }

  #history(account: string, symbol: string): OrderHistory {
    return this.#trader(this.#market(symbol), account).history;
  }

  #trader(market: Market, account: string): Trader {
    return traderOf(market, account, this.#ledger, this.#options.forgotten ?? NOBODY);
  }

  /** Decides about an order without doing anything. */
  #judge(command: PlaceCommand, now: Instant): Judged {
    this.#tell(now);
    const market = this.#markets.get(command.symbol);
    if (!market) return { refusal: refused("invalid_order", `no market ${command.symbol}`) };
    if (this.#now > command.validUntil)
      return { refusal: refused("expired", "the request came after its time") };
    const trader = this.#trader(market, command.account);
    if (this.#isDuplicate(trader.history, command.id)) return { refusal: { kind: "duplicate" } };
    const { depth, selfTrade = "expire_maker" } = this.#options;
    const marketPrice = depth === "book" ? undefined : market.price?.price;
    const makers = market.book.side(command.side === "sell");
    const take = planTake(makers, marketPrice, trader, command, selfTrade);
    const refusal = refusalOf(market, command, take, trader.history.open);
    if (refusal) return { refusal };
    const lockPerLot = lockPerLotOf(market.instrument, command, this.#fees);
    const spent = assetSpent(market.instrument, command.side);
    const needed = fundsNeeded(market.instrument, command, take, lockPerLot, this.#fees);
    if (needed > trader.wallet.free(spent)) {
      return { refusal: refused("insufficient_funds", `not enough ${spent}`) };
    }
    return { market, trader, lockPerLot, take };
  }

  #isDuplicate(history: OrderHistory, id: ClientOrderId | undefined): boolean {
    const { clientIdRule = "among open" } = this.#options;
    if (id === undefined || clientIdRule === "none") return false;
    const newest = history.byClientId(id);
    return newest !== undefined && (clientIdRule === "unique for ever" || newest.status === "open");
  }

  #accept(market: Market, trader: Trader, command: PlaceCommand, lockPerLot: Money): VenueOrder {
    const { id, side, type, price, quantity } = command;
    this.#lastOrderId += 1;
    const order: VenueOrder = {
      trader,
      id,
      exchangeOrderId: String(this.#lastOrderId),
      side,
      type,
      price,
      quantity,
      executed: ZERO_LOTS,
      quote: ZERO_MONEY,
      status: "open",
      createdAt: this.#now,
      lockPerLot,
      slot: NO_SLOT,
    };
    this.#settlement.open(market, order);
    return order;
  }

  #fillCrossed(market: Market, crossed: readonly VenueOrder[], portion: Portion | undefined): void {
    for (const order of crossed) {
      const quantity = portion?.(viewOf(order)) ?? subtractLots(order.quantity, order.executed);
      this.#settlement.trade(market, undefined, order, order.price, quantity, this.#now);
    }
  }
}

type Judged =
  | { readonly refusal: PlaceResult }
  | {
      readonly market: Market;
      readonly trader: Trader;
      readonly lockPerLot: Money;
      readonly take: Take<VenueOrder>;
    };

const NOBODY: ReadonlySet<string> = new Set();
