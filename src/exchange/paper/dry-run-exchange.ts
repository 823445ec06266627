/** Decides and sends nothing: real prices and rules, and orders that only the log sees. */
import { ZERO_LOTS } from "../../domain/amounts.ts";
import type { ClientOrderId, Instant } from "../../domain/ids.ts";
import { formatPrice, formatQuantity } from "../../domain/instrument.ts";
import type { Log } from "../../domain/log.ts";
import type {
  Balance,
  CancelOutcome,
  CancelRequest,
  Exchange,
  ExchangeOrder,
  FillPage,
  OrderRequest,
  PlaceOutcome,
} from "../exchange.ts";

/** What a dry run reads of an exchange. */
export type PriceSource = Pick<
  Exchange,
  | "name"
  | "account"
  | "requestWindowMs"
  | "settleMs"
  | "time"
  | "instrument"
  | "price"
  | "mostOpenOrders"
  | "subscribe"
  | "ping"
  | "close"
>;

/** Orders rest in this process and never fill; `source` is closed with it. */
export function createDryRunExchange(source: PriceSource, log: Log): Exchange {
  const orders = new Map<string, { readonly symbol: string; readonly order: ExchangeOrder }>();
  const of = (symbol: string): readonly ExchangeOrder[] =>
    [...orders.values()].filter((each) => each.symbol === symbol).map(({ order }) => order);
  return {
    name: source.name,
    account: source.account,
    requestWindowMs: source.requestWindowMs,
    settleMs: source.settleMs,
    time: () => source.time(),
    instrument: (symbol) => source.instrument(symbol),
    price: (symbol) => source.price(symbol),
    async placeOrder({ symbol, terms }: OrderRequest): Promise<PlaceOutcome> {
      const instrument = await source.instrument(symbol);
      const { id, side, type, price, quantity, createdAt } = terms;
      const exchangeOrderId = `dry-${orders.size + 1}`;
      const order = { id, exchangeOrderId, side, type, price, quantity, executed: ZERO_LOTS, createdAt };
      orders.set(exchangeOrderId, { symbol, order: { ...order, status: "open" } });
      log.info(
        {
          symbol,
          side,
          type,
          price: formatPrice(instrument, price),
          quantity: formatQuantity(instrument, quantity),
          id,
        },
        "order.not_sent",
      );
      return { kind: "accepted", exchangeOrderId };
    },
    async cancelOrder({ symbol, id, exchangeOrderId }: CancelRequest): Promise<CancelOutcome> {
      const found = orders.get(exchangeOrderId);
      if (found?.order.status !== "open") return { kind: "not_found" };
      orders.set(exchangeOrderId, { symbol, order: { ...found.order, status: "canceled" } });
      log.info({ symbol, id }, "cancel.not_sent");
      return { kind: "canceled", executed: ZERO_LOTS };
    },
    findOrder: async (symbol: string, id: ClientOrderId) => of(symbol).find((order) => order.id === id),
    openOrders: async (symbol: string) => of(symbol).filter(({ status }) => status === "open"),
    ordersSince: async (symbol: string, since: Instant) =>
      of(symbol).filter(({ createdAt }) => createdAt >= since),
    fillsSince: async (_symbol: string, cursor: string | undefined): Promise<FillPage> => ({
      fills: [],
      cursor: cursor ?? "0",
    }),
    balances: async (): Promise<readonly Balance[]> => [],
    // Orders and fills of the account are somebody else's.
    subscribe: (symbol, listen) =>
      source.subscribe(symbol, (hint) => {
        if (hint.kind === "tick") listen(hint);
      }),
    ping: () => source.ping(),
    close: () => source.close(),
  };
}
