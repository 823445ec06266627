/** The ccxt adapter on a venue that lies, hangs and falls silent: what it believes, what it does not, and what it says. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PriceTicks, QuantityLots } from "../../src/domain/amounts.ts";
import { parseMoney } from "../../src/domain/amounts.ts";
import { botCode } from "../../src/domain/ids.ts";
import type { Generation, Instant, Side, SlotNumber } from "../../src/domain/ids.ts";
import type { OrderTerms } from "../../src/domain/order.ts";
import type { CcxtExchange } from "../../src/exchange/ccxt/ccxt-exchange.ts";
import { openCcxtPrices } from "../../src/exchange/ccxt/open-ccxt-exchange.ts";
import type { MarketHint, PlaceOutcome } from "../../src/exchange/exchange.ts";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { OnVenue } from "../support/ccxt-on-venue.ts";
import { openOnVenue } from "../support/ccxt-on-venue.ts";
import type { KeptLine } from "../support/kept-log.ts";
import { logInto } from "../support/kept-log.ts";
import type { DrillMarket } from "../support/venue-markets.ts";
import { drillMarket, startVenueOfMarkets } from "../support/venue-markets.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { READ_ONLY_KEY, WITHDRAW_KEY, startVenueProcess } from "../support/venue-process.ts";

const LIMIT_MS = 20_000;
const FAST = { staleAfterMs: 800, pollMs: 200, silentAfterMs: 600, firstRetryMs: 50, longestRetryMs: 200 };
const DAY_MS = 86_400_000;
/** What the venue says with a 429. */
const LEFT_ALONE_MS = 1_000;
const PLACE = "POST /api/v3/order";

let venue: VenueProcess;
let next = 0;
let market: DrillMarket;
let opened: CcxtExchange[] = [];
let lines: KeptLine[] = [];
let gauges: Map<string, number>;

beforeAll(async () => {
  venue = await startVenueOfMarkets(60);
});
afterAll(async () => venue.server.stop());
beforeEach(() => {
  market = drillMarket(next);
  next += 1;
  lines = [];
  gauges = new Map();
});
afterEach(async () => {
  await venue.admin.faults([]);
  await venue.admin.setClockOffset(0);
  for (const exchange of opened) await exchange.close();
  opened = [];
});

const metrics = {
  count: () => undefined,
  observe: () => undefined,
  gauge: (name: string, _labels: unknown, value: number) => void gauges.set(name, value),
};

async function open(options: OnVenue = {}): Promise<CcxtExchange> {
  const exchange = await openOnVenue(venue, { key: market, lines, metrics, streamTimes: FAST, ...options });
  opened.push(exchange);
  await exchange.instrument(market.symbol);
  return exchange;
}

let generation = 0;
function termsOf(side: Side, price: number, quantity = 100): OrderTerms {
  generation += 1;
  return {
    id: encodeClientOrderId(botCode("adaptertst"), 1 as SlotNumber, side, generation as Generation),
    slot: 1 as SlotNumber,
    side,
    generation: generation as Generation,
    type: "limit",
    price: price as PriceTicks,
    quantity: quantity as QuantityLots,
    createdAt: 0 as Instant,
  };
}

async function place(
  exchange: CcxtExchange,
  terms = termsOf("buy", 9_000),
  validFor = exchange.requestWindowMs,
): Promise<PlaceOutcome> {
  const validUntil = ((await exchange.time()) + validFor) as Instant;
  return exchange.placeOrder({ symbol: market.symbol, terms, validUntil });
}

/** Resolves when `holds`; asks often, and gives up after some seconds. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not so after ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const events = (): readonly string[] => lines.map(({ event }) => event);
const timesOpened = (): number => events().filter((event) => event === "stream.opened").length;

describe("an order through ccxt", () => {
  it.each([
    ["the answer is lost", { kind: "lost_answer" }],
    ["the answer is an error of the server", { kind: "error_after", status: 500 }],
    ["the answer is an error of a gateway", { kind: "error_after", status: 504 }],
    ["the answer is a refusal that proves nothing", { kind: "error_after", status: 400 }],
    ["the connection breaks in the answer", { kind: "reset_in_body" }],
    ["the answer is a page of a proxy", { kind: "html_body", status: 502 }],
    ["the answer is a page that says all is well", { kind: "html_body", status: 200 }],
  ])("is unknown, and there, where %s", async (_name, fault) => {
    const exchange = await open();
    const terms = termsOf("buy", 9_000);
    await venue.admin.faults([{ route: PLACE, times: 1, ...fault }]);

    expect((await place(exchange, terms)).kind).toBe("unknown");
    expect(await exchange.findOrder(market.symbol, terms.id)).toMatchObject({ id: terms.id, status: "open" });
  });

  it.each([
    ["the request is lost", { kind: "lost_request" }],
    ["the server fails before it", { kind: "error_before", status: 503 }],
  ])("is unknown, and not there, where %s", async (_name, fault) => {
    const exchange = await open();
    const terms = termsOf("buy", 9_000);
    await venue.admin.faults([{ route: PLACE, times: 1, ...fault }]);

    expect((await place(exchange, terms)).kind).toBe("unknown");
    expect(await exchange.findOrder(market.symbol, terms.id)).toBeUndefined();
  });

  it("is accepted where the answer only comes late", async () => {
    const exchange = await open();
    await venue.admin.faults([{ kind: "delayed_answer", route: PLACE, times: 1, delay_ms: 300 }]);

    expect((await place(exchange)).kind).toBe("accepted");
  });

  it("is refused for certain where it reaches the matcher after its time", async () => {
    const exchange = await open({ requestWindowMs: 300 });
    const terms = termsOf("buy", 9_000);
    await venue.admin.faults([{ kind: "delayed_request", route: PLACE, times: 1, delay_ms: 800 }]);

    expect(await place(exchange, terms)).toMatchObject({ kind: "rejected", reason: "expired" });
    expect(await exchange.findOrder(market.symbol, terms.id)).toBeUndefined();
  });

  it("is not repeated: one request leaves for each call, whatever becomes of it", async () => {
    const exchange = await open();
    await venue.admin.faults([{ kind: "error_before", route: PLACE, status: 502 }]);
    const before = (await venue.admin.status()).faults["error_before"] ?? 0;

    await place(exchange);

    expect((await venue.admin.status()).faults["error_before"]).toBe(before + 1);
  });

  it("is refused where the exchange is asked too often, and nothing is asked until it allows it", async () => {
    const exchange = await open();
    const ask = async () => {
      await venue.admin.faults([{ kind: "rate_limited", route: PLACE, times: 1 }]);
      const asked = performance.now();
      const refused = await place(exchange);
      const error: unknown = await exchange.openOrders(market.symbol).catch((reason: unknown) => reason);
      const unsent = await exchange.placeOrder({
        symbol: market.symbol,
        terms: termsOf("buy", 9_000),
        validUntil: (Date.now() + 30_000) as Instant,
      });
      return { refused, error, unsent, tookMs: performance.now() - asked };
    };

    let answers = await ask();
    // A busy machine may need longer for all of it than the exchange wants to be left alone.
    while (answers.tookMs >= LEFT_ALONE_MS) {
      await pause(LEFT_ALONE_MS);
      answers = await ask();
    }

    expect(answers.refused).toMatchObject({ kind: "rejected", reason: "rate_limited" });
    expect(answers.error).toMatchObject({ code: "RATE_LIMITED" });
    expect(answers.unsent).toMatchObject({ kind: "rejected", reason: "rate_limited" });
    await until(async () =>
      exchange.openOrders(market.symbol).then(
        () => true,
        () => false,
      ),
    );
  });
});

describe("a cancel through ccxt", () => {
  it("is unknown where its answer is lost, and not found once it was done", async () => {
    const exchange = await open();
    const terms = termsOf("buy", 9_000);
    const outcome = await place(exchange, terms);
    const exchangeOrderId = outcome.kind === "accepted" ? outcome.exchangeOrderId : "";
    const cancel = async () => {
      const validUntil = ((await exchange.time()) + exchange.requestWindowMs) as Instant;
      return exchange.cancelOrder({ symbol: market.symbol, id: terms.id, exchangeOrderId, validUntil });
    };
    await venue.admin.faults([{ kind: "lost_answer", route: "DELETE /api/v3/order", times: 1 }]);

    expect((await cancel()).kind).toBe("unknown");
    expect(await cancel()).toEqual({ kind: "not_found" });
    expect(await exchange.findOrder(market.symbol, terms.id)).toMatchObject({ status: "canceled" });
  });

  it("is not believed where it is a page of a proxy", async () => {
    const exchange = await open();
    const terms = termsOf("buy", 9_000);
    const outcome = await place(exchange, terms);
    const exchangeOrderId = outcome.kind === "accepted" ? outcome.exchangeOrderId : "";
    const validUntil = ((await exchange.time()) + 1_000) as Instant;
    await venue.admin.faults([{ kind: "html_body", route: "DELETE /api/v3/order", status: 200, times: 1 }]);

    const canceled = await exchange.cancelOrder({
      symbol: market.symbol,
      id: terms.id,
      exchangeOrderId,
      validUntil,
    });

    expect(canceled.kind).toBe("unknown");
  });
});

describe("a read through ccxt", () => {
  const reads: Readonly<Record<string, (exchange: CcxtExchange) => Promise<unknown>>> = {
    time: async (exchange) => exchange.time(),
    price: async (exchange) => exchange.price(market.symbol),
    findOrder: async (exchange) => exchange.findOrder(market.symbol, termsOf("buy", 1).id),
    openOrders: async (exchange) => exchange.openOrders(market.symbol),
    ordersSince: async (exchange) => exchange.ordersSince(market.symbol, (Date.now() - 1_000) as Instant),
    fillsSince: async (exchange) => exchange.fillsSince(market.symbol, undefined),
    balances: async (exchange) => exchange.balances(),
  };

  it.each(Object.keys(reads))("never takes a page of a proxy for an answer: %s", async (name) => {
    const exchange = await open();
    const read = reads[name];
    if (!read) throw new Error(name);
    await read(exchange);
    await venue.admin.faults([{ kind: "html_body", route: "GET *", status: 200 }]);

    await expect(read(exchange)).rejects.toMatchObject({ code: "EXCHANGE_UNAVAILABLE" });
  });

  it("says what failed without the address that it asked, its signature or its key", async () => {
    const exchange = await open();
    await venue.admin.faults([{ kind: "lost_request", route: "GET *" }]);

    const error: unknown = await exchange.openOrders(market.symbol).catch((reason: unknown) => reason);

    const text = `${String(error)} ${JSON.stringify(error)} ${error instanceof Error ? error.stack : ""}`;
    expect(text).toContain("binance: openOrders");
    for (const secret of ["signature", "http:", market.apiKey, market.secret])
      expect(text).not.toContain(secret);
  });
});

describe("the key of a real exchange", () => {
  let keyed: VenueProcess;
  beforeAll(async () => {
    keyed = await startVenueProcess();
  });
  afterAll(async () => keyed.server.stop());

  it("is refused where it may withdraw, unless that is allowed", async () => {
    await expect(openOnVenue(keyed, { key: WITHDRAW_KEY })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("may withdraw") as string,
    });
    opened.push(await openOnVenue(keyed, { key: WITHDRAW_KEY, mayWithdraw: true }));
  });

  it("is refused where it may not trade", async () => {
    await expect(openOnVenue(keyed, { key: READ_ONLY_KEY })).rejects.toThrow("may not trade");
  });

  it("is refused where its secret is another's, and neither is repeated", async () => {
    const key = { apiKey: WITHDRAW_KEY.apiKey, secret: "canary-secret-77" };

    const error: unknown = await openOnVenue(keyed, { key, lines }).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code: "EXCHANGE_AUTH" });
    const text = JSON.stringify([String(error), error, lines]);
    expect(text).not.toContain("canary");
    expect(text).not.toContain(WITHDRAW_KEY.apiKey);
  });

  it("is not needed for prices", async () => {
    const prices = await openCcxtPrices({
      exchange: "binance",
      account: "main",
      urls: { rest: keyed.url, ws: keyed.wsUrl },
      requestWindowMs: 1_000,
      clock: realClock,
      log: logInto(lines),
      metrics,
    });
    try {
      expect(await prices.instrument("BTC/USDT")).toMatchObject({ takerFee: 1_000_000_000_000_000n });
      expect((await prices.price("BTC/USDT")).price).toBe(6_000_000);
    } finally {
      await prices.close();
    }
  });
});

describe("the clock of a real exchange", () => {
  it("may be seconds ahead: reads and orders are signed in its time", async () => {
    const ahead = 5_000;
    await venue.admin.setClockOffset(ahead);
    const exchange = await open();

    expect((await place(exchange)).kind).toBe("accepted");
    expect(await exchange.openOrders(market.symbol)).toHaveLength(1);
    // Only as exact as the answer was quick.
    expect(gauges.get("quantmesh_exchange_clock_offset")).toBeGreaterThan(ahead / 2_000);
    expect(gauges.get("quantmesh_exchange_clock_offset")).toBeLessThan((2 * ahead) / 1_000);
    expect(events()).toContain("exchange.clock_offset");
  });

  it("is read again, so that a jump passes by itself", async () => {
    const exchange = await open();
    await venue.admin.setClockOffset(20_000);
    await expect(exchange.openOrders(market.symbol)).rejects.toMatchObject({ code: "EXCHANGE_UNAVAILABLE" });

    expect(await exchange.openOrders(market.symbol)).toEqual([]);
  });
});

describe("the streams of a real exchange", () => {
  it("are open before the first order", async () => {
    await open();

    expect(events()).toContain("stream.opened");
    expect(gauges.get("quantmesh_websocket_connected")).toBe(1);
  });

  it("come back after an interruption, and say that the lists must be read", async () => {
    const exchange = await open();
    const heard: MarketHint[] = [];
    exchange.subscribe(market.symbol, (hint) => heard.push(hint));

    const before = timesOpened();
    await venue.admin.disconnect();
    await until(() => timesOpened() > before);

    expect(heard.map(({ kind }) => kind)).toContain("gap");
    heard.length = 0;
    const terms = termsOf("buy", 9_000);
    await place(exchange, terms);
    await until(() => heard.some((hint) => hint.kind === "order" && hint.order.id === terms.id));
    await venue.admin.move(market.symbol, "99.00");
    await until(() => heard.some((hint) => hint.kind === "tick" && hint.price === 9_900));
  });

  it("are opened again where they are silent about an order that was accepted, and polled meanwhile", async () => {
    const exchange = await open();
    const heard: MarketHint[] = [];
    exchange.subscribe(market.symbol, (hint) => heard.push(hint));
    await venue.admin.faults([{ kind: "missing_event", route: "stream user", times: 1 }]);

    const before = timesOpened();
    await place(exchange);
    await until(() => events().includes("stream.silent"));
    await until(() => timesOpened() > before);

    expect(heard.map(({ kind }) => kind)).toContain("gap");
  });

  it("are noticed to be silent about a price, which is polled until they tell it again", async () => {
    const exchange = await open();
    const heard: number[] = [];
    exchange.subscribe(market.symbol, (hint) => {
      if (hint.kind === "tick") heard.push(hint.price);
    });
    const isStale = (): boolean => gauges.get("quantmesh_stream_stale") === 1;
    let price = 10_000;
    const moveUntilFresh = async (): Promise<void> =>
      until(async () => {
        price += 1;
        await venue.admin.move(market.symbol, (price / 100).toFixed(2));
        return !isStale();
      });
    // A market in which nothing happens is polled.
    await until(isStale);
    await moveUntilFresh();
    await venue.admin.faults([{ kind: "missing_event", route: "stream market" }]);

    await venue.admin.move(market.symbol, "105.00");
    await until(() => heard.includes(10_500));
    expect(isStale()).toBe(true);
    await until(() => events().includes("stream.silent"));

    await venue.admin.faults([]);
    await moveUntilFresh();
  });

  it("hand on every one of many fills that come at once", async () => {
    const exchange = await open();
    const filled = new Set<string>();
    exchange.subscribe(market.symbol, (hint) => {
      if (hint.kind === "fill") filled.add(hint.execution.tradeId);
    });
    const orders = 60;
    for (let order = 0; order < orders; order += 1) await place(exchange, termsOf("buy", 9_000 + order));

    await venue.admin.move(market.symbol, "80.00");
    await until(() => filled.size === orders);

    expect((await exchange.fillsSince(market.symbol, undefined)).fills).toHaveLength(orders);
  });
});

describe("the limits of the adapter", () => {
  const NONE = { maxOrderValue: undefined, maxOpenOrders: undefined, maxOrdersPerMinute: undefined };
  const admit = async (exchange: CcxtExchange, terms: OrderTerms, signal = new AbortController().signal) =>
    exchange.admit(market.symbol, terms, signal);

  it("refuse an order that is too large, whether it was admitted or not", async () => {
    const exchange = await open({ limits: { ...NONE, maxOrderValue: parseMoney("9") } });

    expect(await admit(exchange, termsOf("buy", 9_001))).toEqual({
      kind: "refused",
      reason: "max_order_value",
    });
    expect(await place(exchange, termsOf("buy", 9_001))).toMatchObject({
      kind: "rejected",
      message: "max_order_value; not sent",
    });
    expect((await place(exchange, termsOf("buy", 9_000))).kind).toBe("accepted");
  });

  it("refuse an order too many, until one of those that rest is gone", async () => {
    const exchange = await open({ limits: { ...NONE, maxOpenOrders: 1 } });
    exchange.subscribe(market.symbol, () => undefined);
    await place(exchange, termsOf("buy", 9_000));

    expect(await admit(exchange, termsOf("buy", 8_000))).toEqual({
      kind: "refused",
      reason: "max_open_orders",
    });

    await venue.admin.move(market.symbol, "89.00");
    await until(async () => (await admit(exchange, termsOf("buy", 8_000))).kind === "admitted");
  });

  it("do not count orders of a symbol that nobody here has watched for long: another instance trades it", async () => {
    const streamTimes = { ...FAST, leftAfterMs: 100 };
    const exchange = await open({ limits: { ...NONE, maxOpenOrders: 1 }, streamTimes });
    const leave = exchange.subscribe(market.symbol, () => undefined);
    await place(exchange, termsOf("buy", 9_000));
    expect((await admit(exchange, termsOf("buy", 8_000))).kind).toBe("refused");

    leave();

    await until(async () => (await admit(exchange, termsOf("buy", 8_000))).kind === "admitted");
  });

  it("let sells pass where buys have used their part of a minute's orders", async () => {
    const exchange = await open({ limits: { ...NONE, maxOrdersPerMinute: 5 } });
    const kinds = [];
    for (let order = 0; order < 5; order += 1)
      kinds.push((await admit(exchange, termsOf("buy", 9_000))).kind);

    expect(kinds).toEqual(["admitted", "admitted", "admitted", "admitted", "refused"]);
    expect(await admit(exchange, termsOf("sell", 11_000))).toEqual({ kind: "admitted" });
    const abort = new AbortController();
    const waiting = admit(exchange, termsOf("sell", 11_000), abort.signal);
    abort.abort();
    expect(await waiting).toEqual({ kind: "refused", reason: "rate_budget" });
  });

  it("count what the exchange says that others have sent for the account", async () => {
    const mostOf = ({ perMs }: { readonly perMs: number }) => (perMs === DAY_MS ? 4 : undefined);
    const other = await open();
    for (let order = 0; order < 3; order += 1) await place(other, termsOf("sell", 11_000));
    const exchange = await open({ mostOf });
    await place(exchange, termsOf("sell", 11_000));

    const abort = new AbortController();
    const waiting = admit(exchange, termsOf("sell", 11_000), abort.signal);
    setTimeout(() => abort.abort(), 100);

    expect(await waiting).toEqual({ kind: "refused", reason: "rate_budget" });
  });

  it("send nothing for an order that found no place in them", async () => {
    const exchange = await open({ limits: { ...NONE, maxOrdersPerMinute: 1 } });
    await place(exchange, termsOf("sell", 11_000));
    // Counts each request for an order; others come from the streams.
    await venue.admin.faults([{ kind: "error_before", route: PLACE, status: 502 }]);
    const asked = async (): Promise<number> => (await venue.admin.status()).faults["error_before"] ?? 0;
    const before = await asked();

    const outcome = await exchange.placeOrder({
      symbol: market.symbol,
      terms: termsOf("sell", 11_000),
      validUntil: (Date.now() + 1_000) as Instant,
    });

    expect(outcome).toMatchObject({ kind: "rejected", reason: "rate_limited" });
    expect(await asked()).toBe(before);
  });
});

describe("an exchange that cannot be traded safely", () => {
  it.each(["coinbase", "kraken", "okx", "nowhere"])("is refused with a sentence: %s", async (exchange) => {
    await expect(openOnVenue(venue, { exchange })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(new RegExp(`${exchange}.{20}`)) as string,
    });
  });
});
