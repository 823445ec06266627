/** What every order passes just before it is sent. */
import { expect, it } from "vitest";
import { parseMoney, priceTicks, quantityLots } from "../../../src/domain/amounts.ts";
import type { ClientOrderId, Instant } from "../../../src/domain/ids.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type { OrderTerms } from "../../../src/domain/order.ts";
import { OrderGate } from "../../../src/exchange/ccxt/order-gate.ts";
import { OpenOrders } from "../../../src/exchange/limits/open-orders.ts";
import { RequestBudget } from "../../../src/exchange/limits/request-budget.ts";
import { SlidingWindow } from "../../../src/exchange/limits/sliding-window.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";

const INSTRUMENT = createInstrument({
  exchange: "binance",
  symbol: "BTC/USDT",
  tickSize: "0.01",
  lotSize: "0.00001",
  minNotional: "5",
  makerFee: "0.001",
  takerFee: "0.001",
});
const ORDER = {
  id: "order-1" as ClientOrderId,
  side: "sell",
  type: "limit",
  price: priceTicks(10_000_00),
  quantity: quantityLots(100),
} as OrderTerms;

it("lets no admitted order pass while the exchange wants to be left alone", async () => {
  const clock = new VirtualClock(1_000_000 as Instant);
  const budget = new RequestBudget(clock, () => [
    new SlidingWindow({ counts: "orders", most: 10, perMs: 60_000 }, 1),
  ]);
  const limits = { maxOrderValue: parseMoney("1000000"), maxOpenOrders: undefined };
  const gate = new OrderGate({ limits, budget, openOrders: new OpenOrders(), clock });
  expect(await gate.admit(INSTRUMENT, ORDER, new AbortController().signal)).toEqual({ kind: "admitted" });

  budget.block(30_000);

  expect(gate.pass(INSTRUMENT, ORDER)?.reason).toBe("rate_limited");
});
