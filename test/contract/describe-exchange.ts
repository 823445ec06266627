/** What every exchange must keep of its port's promises, whatever stands behind it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseMoney } from "../../src/domain/amounts.ts";
import type { Money, PriceTicks, QuantityLots } from "../../src/domain/amounts.ts";
import type { ClientOrderId, Generation, Instant, Side, SlotNumber } from "../../src/domain/ids.ts";
import { botCode } from "../../src/domain/ids.ts";
import type { Instrument } from "../../src/domain/instrument.ts";
import { notional } from "../../src/domain/instrument.ts";
import type { OrderTerms, OrderType } from "../../src/domain/order.ts";
import type { CancelOutcome, Exchange, ExchangeOrder, MarketHint } from "../../src/exchange/exchange.ts";
import type { PlaceOutcome } from "../../src/exchange/exchange.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";

/** A fresh account that can pay for 100 orders of `quantity` at `price`, on either side. */
export interface ExchangeFixture {
  readonly exchange: Exchange;
  readonly instrument: Instrument;
  /** Where the market stands; at least 1,000 ticks. It fills what its price goes past. */
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  /** Moves the market; resolves when the exchange's lists show what that filled. */
  movePrice(price: PriceTicks): Promise<void>;
  close(): Promise<void>;
}

/** Runs the suite with one fresh fixture for each test. */
export function describeExchange(name: string, open: () => Promise<ExchangeFixture>): void {
  describe(`${name} as an exchange`, () => {
    let fixture: ExchangeFixture;
    let exchange: Exchange;
    let symbol: string;
    let generation = 0;

    beforeEach(async () => {
      fixture = await open();
      exchange = fixture.exchange;
      symbol = fixture.instrument.symbol;
      generation = 0;
    });
    afterEach(() => fixture.close());

    const nextId = (side: Side): ClientOrderId => {
      generation += 1;
      return encodeClientOrderId(botCode("contract00"), 1 as SlotNumber, side, generation as Generation);
    };
    /** The market's price and `ticks` more, or less. */
    const at = (ticks: number): PriceTicks => (fixture.price + ticks) as PriceTicks;

    interface Ask {
      readonly id?: ClientOrderId;
      readonly type?: OrderType;
      readonly quantity?: number;
      readonly validFor?: number;
    }
    async function place(
      side: Side,
      price: PriceTicks,
      ask: Ask = {},
    ): Promise<{
      readonly outcome: PlaceOutcome;
      readonly terms: OrderTerms;
    }> {
      const now = await exchange.time();
      const terms: OrderTerms = {
        id: ask.id ?? nextId(side),
        slot: 1 as SlotNumber,
        side,
        generation: generation as Generation,
        type: ask.type ?? "limit",
        price,
        quantity: (ask.quantity ?? fixture.quantity) as QuantityLots,
        createdAt: now,
      };
      const validUntil = (now + (ask.validFor ?? exchange.requestWindowMs)) as Instant;
      return { outcome: await exchange.placeOrder({ symbol, terms, validUntil }), terms };
    }
    async function placeOpen(side: Side, price: PriceTicks, ask: Ask = {}): Promise<ExchangeOrder> {
      const { outcome, terms } = await place(side, price, ask);
      expect(outcome.kind).toBe("accepted");
      const order = await exchange.findOrder(symbol, terms.id);
      if (!order) throw new Error(`the exchange does not show ${terms.id}`);
      return order;
    }
    async function cancel(
      { id, exchangeOrderId }: ExchangeOrder,
      validFor = exchange.requestWindowMs,
    ): Promise<CancelOutcome> {
      const validUntil = ((await exchange.time()) + validFor) as Instant;
      return exchange.cancelOrder({ symbol, id: id ?? nextId("buy"), exchangeOrderId, validUntil });
    }
    async function balance(asset: string): Promise<{ readonly free: bigint; readonly locked: bigint }> {
      const found = (await exchange.balances()).find((each) => each.asset === asset);
      return found ?? { free: 0n, locked: 0n };
    }

    it("shows an order open from its acceptance until it is cancelled", async () => {
      const { outcome, terms } = await place("buy", at(-10));
      expect(outcome).toMatchObject({ kind: "accepted" });
      const exchangeOrderId = outcome.kind === "accepted" ? outcome.exchangeOrderId : "";
      const shown = {
        id: terms.id,
        exchangeOrderId,
        side: "buy",
        type: "limit",
        price: terms.price,
        quantity: terms.quantity,
        executed: 0,
      };
      expect(await exchange.openOrders(symbol)).toEqual([
        expect.objectContaining({ ...shown, status: "open" }),
      ]);

      const open = await exchange.findOrder(symbol, terms.id);
      expect(open && (await cancel(open))).toEqual({ kind: "canceled", executed: 0 });

      expect(await exchange.openOrders(symbol)).toEqual([]);
      expect(await exchange.findOrder(symbol, terms.id)).toMatchObject({ ...shown, status: "canceled" });
    });

    it("finds no order where there is none, and cancels none", async () => {
      expect(await exchange.findOrder(symbol, nextId("buy"))).toBeUndefined();
      const order = await placeOpen("buy", at(-10));
      await cancel(order);

      expect(await cancel(order)).toEqual({ kind: "not_found" });
    });

    it("answers a second order of an open id with `duplicate`, and has one order", async () => {
      const id = nextId("buy");
      await placeOpen("buy", at(-10), { id });

      expect((await place("buy", at(-10), { id })).outcome).toEqual({ kind: "duplicate" });
      expect(await exchange.openOrders(symbol)).toHaveLength(1);
    });

    it("does nothing for a request whose time is over", async () => {
      const order = await placeOpen("buy", at(-10));

      const { outcome, terms } = await place("buy", at(-20), { validFor: -1 });
      const canceling = await cancel(order, -1);

      expect(outcome).toMatchObject({ kind: "rejected", reason: "expired" });
      expect(canceling.kind).not.toBe("canceled");
      expect(await exchange.findOrder(symbol, terms.id)).toBeUndefined();
      expect(await exchange.openOrders(symbol)).toEqual([order]);
    });

    it("refuses a post-only order that would take, and rests one that would not", async () => {
      const crossing = await place("buy", at(10), { type: "limit_maker" });
      const resting = await place("buy", at(-10), { type: "limit_maker" });

      expect(crossing.outcome).toMatchObject({ kind: "rejected", reason: "would_cross" });
      expect(resting.outcome).toMatchObject({ kind: "accepted" });
      expect(await exchange.openOrders(symbol)).toMatchObject([{ type: "limit_maker" }]);
      expect((await exchange.fillsSince(symbol, undefined)).fills).toEqual([]);
    });

    it("refuses what the account cannot pay for, and an order of next to nothing", async () => {
      const poor = await place("sell", at(10), { quantity: fixture.quantity * 1_000_000 });
      const tiny = await place("buy", 1 as PriceTicks, { quantity: 0 });

      expect(poor.outcome).toMatchObject({ kind: "rejected", reason: "insufficient_funds" });
      expect(tiny.outcome).toMatchObject({ kind: "rejected", reason: "invalid_order" });
      expect(await exchange.openOrders(symbol)).toEqual([]);
    });

    it("fills a resting order at its limit for the maker's fee when the market goes past it", async () => {
      const { quantity, instrument } = fixture;
      const order = await placeOpen("buy", at(-10));

      await fixture.movePrice(at(-20));

      const value = notional(instrument, order.price, quantity);
      const { fills } = await exchange.fillsSince(symbol, undefined);
      expect(fills).toMatchObject([
        {
          exchangeOrderId: order.exchangeOrderId,
          side: "buy",
          price: order.price,
          quantity,
          fee: (value * instrument.makerFee) / parseMoney("1"),
          feeAsset: instrument.quote,
          liquidity: "maker",
        },
      ]);
      expect(order.id && (await exchange.findOrder(symbol, order.id))).toMatchObject({
        status: "filled",
        executed: quantity,
      });
      expect(await exchange.openOrders(symbol)).toEqual([]);
    });

    it("takes at the market's price for the taker's fee", async () => {
      const { quantity, instrument } = fixture;
      const order = await placeOpen("sell", at(-10));
      const market = await placeOpen("buy", at(0), { type: "market" });

      expect([order.status, market.status]).toEqual(["filled", "filled"]);
      const fee = (notional(instrument, fixture.price, quantity) * instrument.takerFee) / parseMoney("1");
      const { fills } = await exchange.fillsSince(symbol, undefined);
      expect(fills).toMatchObject([
        { side: "sell", price: fixture.price, fee, liquidity: "taker" },
        { side: "buy", price: fixture.price, fee, liquidity: "taker" },
      ]);
    });

    it("lists orders from a time on, open and closed", async () => {
      const closed = await placeOpen("buy", at(-10));
      await cancel(closed);
      await fixture.movePrice(at(1));
      const open = await placeOpen("buy", at(-11));

      const all = await exchange.ordersSince(symbol, closed.createdAt);
      expect(all.map(({ id, status }) => [id, status])).toEqual([
        [closed.id, "canceled"],
        [open.id, "open"],
      ]);
      expect(await exchange.ordersSince(symbol, (open.createdAt + 1) as Instant)).toEqual([]);
    });

    it("loses no fill from page to page, each page ascending and none without end", async () => {
      const seen = new Map<string, number>();
      let cursor: string | undefined;
      for (let round = 1; round <= 40; round += 1) {
        await placeOpen("buy", at(0), { type: "market" });
        await placeOpen("sell", at(0), { type: "market" });
        const page = await exchange.fillsSince(symbol, cursor);
        const ids = page.fills.map(({ tradeId }) => Number(tradeId));
        expect(ids).toEqual(ids.toSorted((a, b) => a - b));
        for (const { tradeId } of page.fills) seen.set(tradeId, (seen.get(tradeId) ?? 0) + 1);
        cursor = page.cursor;
        expect(seen.size).toBe(2 * round);
      }

      const again = await exchange.fillsSince(symbol, cursor);
      const all = await exchange.fillsSince(symbol, undefined);
      expect(all.fills).toHaveLength(80);
      // A fill that an exchange lists late must still be found, so a page begins before the last one's end.
      expect(again.fills.length).toBeGreaterThan(0);
      expect(again.fills.length).toBeLessThan(80);
      expect(again.cursor).toBe(cursor);
    });

    it("has one cursor for no fills and the first ones", async () => {
      const empty = await exchange.fillsSince(symbol, undefined);
      await placeOpen("buy", at(0), { type: "market" });

      expect(empty.fills).toEqual([]);
      expect((await exchange.fillsSince(symbol, empty.cursor)).fills).toHaveLength(1);
    });

    it("locks what open orders cost and moves what they trade", async () => {
      const { base, quote, lotSize, makerFee } = fixture.instrument;
      const before = { base: await balance(base), quote: await balance(quote) };
      const order = await placeOpen("buy", at(-10));
      const sell = await placeOpen("sell", at(10));

      const value = notional(fixture.instrument, order.price, fixture.quantity);
      const lots = (BigInt(fixture.quantity) * lotSize) as Money;
      const locked = (await balance(quote)).locked - before.quote.locked;
      expect(locked >= value).toBe(true);
      expect((await balance(quote)).free).toBe(before.quote.free - locked);
      expect((await balance(base)).locked).toBe(before.base.locked + lots);

      await cancel(sell);
      await fixture.movePrice(at(-20));
      const fee = (value * makerFee) / parseMoney("1");
      expect(await balance(base)).toMatchObject({
        free: before.base.free + lots,
        locked: before.base.locked,
      });
      expect(await balance(quote)).toMatchObject({
        free: before.quote.free - value - fee,
        locked: before.quote.locked,
      });
    });

    it("hints at ticks, orders and fills until nobody listens, and never inside a call", async () => {
      const seen: MarketHint[] = [];
      let wake: () => void = () => undefined;
      const until = async (holds: () => boolean): Promise<void> => {
        while (!holds()) await new Promise<void>((resolve) => (wake = resolve));
      };
      const unsubscribe = exchange.subscribe(symbol, (hint) => {
        seen.push(hint);
        wake();
      });
      expect(seen).toEqual([]);
      const { terms, outcome } = await place("buy", at(-10));
      expect(outcome.kind).toBe("accepted");
      await until(() => seen.some((hint) => hint.kind === "order" && hint.order.id === terms.id));

      await fixture.movePrice(at(-20));
      await until(() => seen.some((hint) => hint.kind === "fill"));
      await until(() => seen.some((hint) => hint.kind === "tick" && hint.price === at(-20)));

      const [fill] = (await exchange.fillsSince(symbol, undefined)).fills;
      const hint = seen.find(({ kind }) => kind === "fill");
      expect(hint?.kind === "fill" && hint.execution).toEqual(fill);

      unsubscribe();
      const count = seen.length;
      await fixture.movePrice(at(-30));
      expect(seen).toHaveLength(count);
    });

    it("knows its time, which never runs back, its price and its rules", async () => {
      const times: number[] = [];
      for (let step = 0; step < 5; step += 1) {
        times.push(await exchange.time());
        await fixture.movePrice(at(step + 1));
      }
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect((await exchange.price(symbol)).price).toBe(at(5));
      expect(await exchange.instrument(symbol)).toEqual(fixture.instrument);
      await exchange.ping();
    });
  });
}
