/** Answers as of a moment ago, for as long as a fault switch asks for such: an exchange's queries may lag. */
import type { Instant } from "../../domain/ids.ts";
import { AnswerHistory } from "../market/answer-history.ts";
import type { OrderView } from "../matching/order-history.ts";
import type { AccountOptions, VenueSymbol } from "./options.ts";
import type { AccountReads } from "./route.ts";
import type { Happening, VenueWorld } from "./venue-world.ts";

export class PastAnswers {
  readonly #world: VenueWorld;
  readonly #accounts: readonly string[];
  readonly #symbols: readonly string[];
  #histories: ReadonlyMap<string, AnswerHistory<OrderView>> | undefined = undefined;
  #keptSince = 0 as Instant;

  constructor(world: VenueWorld, accounts: readonly AccountOptions[], symbols: readonly VenueSymbol[]) {
    this.#world = world;
    this.#accounts = accounts.map(({ name }) => name);
    this.#symbols = symbols.map(({ instrument }) => instrument.symbol);
  }

  /** Keeps what is needed for answers of `ageMs`, from `now` on; nothing where that is undefined. */
  keep(ageMs: number | undefined, now: Instant): void {
    this.#keptSince = now;
    if (ageMs === undefined) {
      this.#histories = undefined;
      return;
    }
    const histories = new Map<string, AnswerHistory<OrderView>>();
    for (const account of this.#accounts) {
      const open = this.#symbols.flatMap((symbol) => this.#world.reads.openOrders(account, symbol));
      histories.set(account, new AnswerHistory(open, ageMs, (order) => order));
    }
    this.#histories = histories;
  }

  note({ command, events }: Happening): void {
    if (!this.#histories) return;
    for (const event of events) this.#histories.get(event.account)?.note(event, command.time);
  }

  /** What accounts were shown `ageMs` before `now`, or when the switch was set where that is later; balances are of now. */
  before(ageMs: number, now: Instant): AccountReads {
    const { reads } = this.#world;
    const moment = Math.max(now - ageMs, this.#keptSince) as Instant;
    const changed = (account: string, symbol: string): ReadonlyMap<string, OrderView | undefined> =>
      this.#histories?.get(account)?.changedSince(symbol, moment) ?? NOTHING;
    const then = (account: string, symbol: string, order: OrderView | undefined): OrderView | undefined => {
      const changes = changed(account, symbol);
      return order && changes.has(order.exchangeOrderId) ? changes.get(order.exchangeOrderId) : order;
    };
    return {
      balances: (account) => reads.balances(account),
      findByClientId: (account, symbol, id) =>
        then(account, symbol, reads.findByClientId(account, symbol, id)),
      findByExchangeId: (account, symbol, id) =>
        then(account, symbol, reads.findByExchangeId(account, symbol, id)),
      openOrders: (account, symbol) => {
        const changes = changed(account, symbol);
        const same = reads
          .openOrders(account, symbol)
          .filter(({ exchangeOrderId }) => !changes.has(exchangeOrderId));
        const other = [...changes.values()].filter((order) => order?.status === "open");
        return [...same, ...other].filter((order) => order !== undefined).sort(byAge);
      },
      ordersSince: (account, symbol, since) =>
        reads
          .ordersSince(account, symbol, since)
          .map((order) => then(account, symbol, order))
          .filter((order) => order !== undefined),
      fillsAfter: (account, symbol, tradeId) =>
        reads.fillsAfter(account, symbol, tradeId).filter(({ at }) => at <= moment),
    };
  }
}

const NOTHING: ReadonlyMap<string, OrderView | undefined> = new Map();

function byAge(a: OrderView, b: OrderView): number {
  return Number(a.exchangeOrderId) - Number(b.exchangeOrderId);
}
