/** Four processes on one key want more than the exchange's real limits: what they send with a common budget, and without. */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterEach, expect, it } from "vitest";
import { priceTicks, quantityLots } from "../../src/domain/amounts.ts";
import { botCode, generation, instant, slotNumber } from "../../src/domain/ids.ts";
import type { OrderTerms } from "../../src/domain/order.ts";
import type { CcxtExchange } from "../../src/exchange/ccxt/ccxt-exchange.ts";
import type { PlaceOutcome } from "../../src/exchange/exchange.ts";
import { connectRedis } from "../../src/lock/connect-redis.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import { openOnVenue } from "../support/ccxt-on-venue.ts";
import type { KeptLine } from "../support/kept-log.ts";
import type { LimitLab } from "../support/limit-lab.ts";
import { openLimitLab } from "../support/limit-lab.ts";
import { IS_FULL } from "../support/scale.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { startRedis } from "../support/servers/redis.ts";
import { callRaw, placeLimit } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

/** Binance spot's. */
const LIMITS = { weight_per_minute: "6000", orders_per_10_seconds: "100", orders_per_day: "200000" };
const MINUTE_MS = 60_000;
const TEN_SECONDS_MS = 10_000;
const PRESS_MS = IS_FULL ? 10 * MINUTE_MS : 42_000;
const WITHOUT_MS = 2_000;
/** The share of a limit that is used at least; a short run may be on a machine that cannot send so much. */
const KEPT_UP = IS_FULL ? 0.9 : 0.4;
const BAN_MS = 6_000;
const SYMBOL = "BTC/USDT";

let venue: VenueProcess | undefined;
let redis: PrivateServer | undefined;
let lab: LimitLab | undefined;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  await lab?.close();
  for (let end = ends.pop(); end; end = ends.pop()) await end();
  await venue?.server.stop();
  await redis?.stop();
  [lab, venue, redis] = [undefined, undefined, undefined];
});

describeWithServers(["redis-server"], "four instances on one key", () => {
  it("use nine tenths of every limit without one 429, over the ends of minutes, and tell Redis no key", {
    timeout: PRESS_MS + 180_000,
  }, async () => {
    [venue, redis] = await Promise.all([startVenueProcess({ limits: LIMITS }), startRedis()]);
    lab = await openLimitLab(venue, { instances: 4, redisPort: redis.port });
    await lab.synchronize(await beginBeforeMinute(venue, 12_000));

    await lab.press(PRESS_MS);

    const minutes = lab.used("weight", MINUTE_MS);
    const tens = lab.used("orders", TEN_SECONDS_MS);
    const { "-1003": weightRefused = 0, "-1015": ordersRefused = 0 } = await lab.refusals();
    console.log(
      "weight per minute:",
      ...minutes,
      "· orders per 10 s:",
      ...tens,
      "· held back:",
      lab.heldBack(),
      "· late:",
      lab.late(),
      "· refused:",
      ordersRefused,
    );
    expect(weightRefused).toBe(0);
    // None on a machine that keeps up: only what a process was held up with may be counted where nobody paid for it.
    expect(ordersRefused).toBeLessThanOrEqual(lab.late());
    expect(meanOf(tens.slice(1, -1))).toBeGreaterThanOrEqual(KEPT_UP * 100);
    expect(tens.length).toBeGreaterThan(PRESS_MS / TEN_SECONDS_MS - 1);
    // The short run sees half of a minute: what lists may use is used by then, and orders have not used the rest.
    const [whole, most] = IS_FULL ? [minutes.slice(1, -1), KEPT_UP] : [minutes.slice(1), KEPT_UP * 0.75];
    expect(whole.length).toBeGreaterThan(0);
    expect(meanOf(whole)).toBeGreaterThanOrEqual(most * 6_000);
    await expectNoKeyIn(redis);
  });

  it("are refused for too many requests where each counts for itself", { timeout: 180_000 }, async () => {
    venue = await startVenueProcess({ limits: LIMITS });
    lab = await openLimitLab(venue, { instances: 4 });

    let refused = 0;
    for (let tries = 0; tries < 10 && refused === 0; tries += 1) {
      await lab.press(WITHOUT_MS);
      refused = (await lab.refusals())["-1015"] ?? 0;
    }

    expect(refused).toBeGreaterThan(0);
  });

  it("go on with their own parts while Redis is away, and together once it is back", {
    timeout: 180_000,
  }, async () => {
    [venue, redis] = await Promise.all([startVenueProcess({ limits: LIMITS }), startRedis()]);
    lab = await openLimitLab(venue, { instances: 4, redisPort: redis.port });
    await lab.press(3_000);

    await redis.crash();
    await lab.press(4_000);
    const whileAway = lab.used("orders", TEN_SECONDS_MS).reduce((sum, one) => sum + one, 0);
    await redis.restart();
    await lab.press(11_000);

    const { "-1003": weightRefused = 0, "-1015": ordersRefused = 0 } = await lab.refusals();
    expect(weightRefused).toBe(0);
    expect(ordersRefused).toBeLessThanOrEqual(lab.late());
    const all = lab.used("orders", TEN_SECONDS_MS).reduce((sum, one) => sum + one, 0);
    expect(all - whileAway).toBeGreaterThan(80);
  });
});

describeWithServers(["redis-server"], "two instances on one key", () => {
  it("send nothing until the ban ends of which the exchange told only one of them", {
    timeout: 60_000,
  }, async () => {
    [venue, redis] = await Promise.all([
      startVenueProcess({ limits: { ...LIMITS, weight_per_minute: "1000", ban_ms: String(BAN_MS) } }),
      startRedis(),
    ]);
    const lines: KeptLine[] = [];
    const [told, other] = [await openShared(venue, redis), await openShared(venue, redis, lines)];
    await admitOrder(other);
    await provokeBan(venue);

    const toldAt = performance.now();
    await expect(told.balances()).rejects.toMatchObject({ code: "RATE_LIMITED" });
    const refused = await refusalsOf(venue);
    while (!lines.some(({ event }) => event === "limits.banned_elsewhere")) await delay(20);

    expect(await placeAdmitted(other)).toMatchObject({ kind: "rejected", reason: "rate_limited" });
    expect(await isHeldBack(other)).toBe(true);
    expect(await refusalsOf(venue)).toBe(refused);
    while (await isHeldBack(other)) await delay(50);
    // What is left is told in whole seconds, rounded up; the exchange was asked a moment after the ban began.
    expect(performance.now() - toldAt).toBeGreaterThan(BAN_MS / 2);
  });

  it("go on, but for the one that sent it, where the exchange refuses an order for the account's number of orders", {
    timeout: 60_000,
  }, async () => {
    [venue, redis] = await Promise.all([
      startVenueProcess({ limits: { ...LIMITS, orders_per_day: "12" } }),
      startRedis(),
    ]);
    const [told, other] = [await openShared(venue, redis), await openShared(venue, redis)];
    await useUpOrders(venue);

    await admitOrder(told);
    expect(await placeAdmitted(told)).toMatchObject({
      kind: "rejected",
      message: expect.stringContaining("-1015") as string,
    });
    expect(await isHeldBack(told)).toBe(true);
    expect(await isHeldBack(other)).toBe(false);
    expect(await keysIn(redis)).not.toContainEqual(expect.stringContaining("ban"));
  });
});

const ORDER: OrderTerms = {
  id: encodeClientOrderId(botCode("limitsban0"), slotNumber(0), "sell", generation(1)),
  slot: slotNumber(0),
  side: "sell",
  generation: generation(1),
  type: "limit",
  price: priceTicks(7_000_000),
  quantity: quantityLots(50),
  createdAt: instant(0),
};

/** An instance with a connection of its own. */
async function openShared(
  on: VenueProcess,
  { port }: PrivateServer,
  lines: KeptLine[] = [],
): Promise<CcxtExchange> {
  const layout = { kind: "single", address: { host: "127.0.0.1", port } } as const;
  const connection = await connectRedis({ layout, timeoutMs: 1_000 });
  ends.push(() => connection.close());
  const shared = { client: connection.client, prefix: "test:" };
  const exchange = await openOnVenue(on, { shared, instances: 2, lines });
  ends.push(async () => exchange.close());
  await exchange.instrument(SYMBOL);
  return exchange;
}

async function admitOrder(exchange: CcxtExchange): Promise<void> {
  const admission = await exchange.admit(SYMBOL, ORDER, new AbortController().signal);
  expect(admission).toEqual({ kind: "admitted" });
}

async function placeAdmitted(exchange: CcxtExchange): Promise<PlaceOutcome> {
  const validUntil = instant(Date.now() + exchange.requestWindowMs);
  return exchange.placeOrder({ symbol: SYMBOL, terms: ORDER, validUntil });
}

/** By a stranger at the same address, who does not stop. */
async function provokeBan({ url }: VenueProcess): Promise<void> {
  let status = 200;
  while (status !== 418) ({ status } = await callRaw({ url }, "GET", "/api/v3/exchangeInfo"));
}

/** By a stranger with the same key. */
async function useUpOrders(on: VenueProcess): Promise<void> {
  let status = 200;
  for (let number = 0; status === 200; number += 1) {
    ({ status } = await placeLimit(on, `stranger-${number}`, "BUY", "50000", "0.001"));
  }
}

async function refusalsOf({ admin }: VenueProcess): Promise<number> {
  return (await admin.status()).refusals["-1003"] ?? 0;
}

/** Whether a request is refused before it is sent. */
async function isHeldBack(exchange: CcxtExchange): Promise<boolean> {
  return exchange.balances().then(
    () => false,
    (error: unknown) => error instanceof Error && error.message.includes("no room in the request limits"),
  );
}

/** Sets the venue's clock so that its next minute begins in `ms`; how far it is ahead then. */
async function beginBeforeMinute({ admin }: VenueProcess, ms: number): Promise<number> {
  const offset = MINUTE_MS - ms - (Date.now() % MINUTE_MS);
  await admin.setClockOffset(offset);
  return offset;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function keysIn({ port }: PrivateServer): Promise<readonly string[]> {
  const client = new Redis(port, "127.0.0.1");
  try {
    return await client.keys("*");
  } finally {
    client.disconnect();
  }
}

async function expectNoKeyIn({ port }: PrivateServer): Promise<void> {
  const client = new Redis(port, "127.0.0.1");
  try {
    const names = await client.keys("*");
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      expect(name).toMatch(/^test:rate:binance:[0-9a-f]{32}:(weight|orders):\d+:\d+$/);
      expect(name).not.toContain(VENUE_KEY.apiKey);
      expect(name).not.toContain(createHash("sha256").update(VENUE_KEY.apiKey).digest("hex").slice(0, 32));
      // -1 of one that never expires.
      expect(await client.ttl(name)).not.toBe(-1);
    }
  } finally {
    client.disconnect();
  }
}
