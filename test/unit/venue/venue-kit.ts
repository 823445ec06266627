/** A venue with one market and a few short words for its commands. */
import type { PriceTicks, QuantityLots } from "../../../src/domain/amounts.ts";
import { formatMoney, parseMoney } from "../../../src/domain/amounts.ts";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import type { Instrument } from "../../../src/domain/instrument.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type {
  CancelResult,
  FillRule,
  PlaceCommand,
  PlaceResult,
  Portion,
  VenueEvent,
  VenueOptions,
} from "../../../src/venue/matching/commands.ts";
import { Venue } from "../../../src/venue/matching/venue.ts";

export const SYMBOL = "BTC/USDT";

/** A tick of 1 and a lot of 0.1: prices and sums that can be read at a glance. Maker 1 %, taker 2 %. */
export const INSTRUMENT: Instrument = createInstrument({
  exchange: "sim",
  symbol: SYMBOL,
  tickSize: "1",
  lotSize: "0.1",
  minNotional: "5",
  makerFee: "0.01",
  takerFee: "0.02",
});

export interface Ask extends Partial<Pick<PlaceCommand, "account" | "type" | "timeInForce">> {
  readonly id?: string;
  readonly validUntil?: number;
}

export interface VenueKit {
  readonly venue: Venue;
  readonly events: VenueEvent[];
  buy(price: number, quantity: number, ask?: Ask): PlaceResult;
  sell(price: number, quantity: number, ask?: Ask): PlaceResult;
  cancel(exchangeOrderId: string, account?: string, validUntil?: number): CancelResult;
  move(price: number, fill?: FillRule, portion?: Portion): void;
  /** `status executed/quantity` of the newest order with this id. */
  order(id: string, account?: string): string | undefined;
  /** `free+locked` of each asset, as text. */
  holdings(account?: string): Record<string, string>;
  /** Each fill as `tradeId side quantity@price liquidity fee`. */
  fills(account?: string): string[];
  at(now: number): void;
}

/** Accounts `ann` and `bob` begin with 10,000 USDT and 100 BTC each; `ann` is meant where none is named. */
export function createKit(options: Partial<VenueOptions> = {}): VenueKit {
  const events: VenueEvent[] = [];
  const venue = new Venue({ instruments: [INSTRUMENT], listen: (event) => events.push(event), ...options });
  for (const account of ["ann", "bob"]) {
    venue.deposit(account, "USDT", parseMoney("10000"));
    venue.deposit(account, "BTC", parseMoney("100"));
  }
  let now = 1000 as Instant;
  const place = (side: PlaceCommand["side"], price: number, quantity: number, ask: Ask = {}): PlaceResult =>
    venue.place(
      {
        account: ask.account ?? "ann",
        symbol: SYMBOL,
        id: ask.id as ClientOrderId | undefined,
        side,
        type: ask.type ?? "limit",
        price: price as PriceTicks,
        quantity: quantity as QuantityLots,
        ...(ask.timeInForce ? { timeInForce: ask.timeInForce } : {}),
        validUntil: (ask.validUntil ?? now) as Instant,
      },
      now,
    );
  return {
    venue,
    events,
    buy: (price, quantity, ask) => place("buy", price, quantity, ask),
    sell: (price, quantity, ask) => place("sell", price, quantity, ask),
    cancel: (exchangeOrderId, account = "ann", validUntil = now) =>
      venue.cancel({ account, symbol: SYMBOL, exchangeOrderId, validUntil: validUntil as Instant }, now),
    move: (price, fill = "touch", portion) =>
      venue.movePrice(SYMBOL, price as PriceTicks, now, fill, portion),
    order: (id, account = "ann") => {
      const order = venue.findByClientId(account, SYMBOL, id as ClientOrderId);
      return order && `${order.status} ${order.executed}/${order.quantity}`;
    },
    holdings: (account = "ann") =>
      Object.fromEntries(
        venue
          .balances(account)
          .map(({ asset, free, locked }) => [asset, `${formatMoney(free)}+${formatMoney(locked)}`]),
      ),
    fills: (account = "ann") =>
      venue
        .fillsAfter(account, SYMBOL, 0)
        .map((f) => `${f.tradeId} ${f.side} ${f.quantity}@${f.price} ${f.liquidity} ${formatMoney(f.fee)}`),
    at: (time) => {
      now = time as Instant;
    },
  };
}
