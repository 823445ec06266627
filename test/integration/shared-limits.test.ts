/** Four processes on one key want more than the exchange's real limits: what they send with a common budget, and without. */
import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import { afterEach, expect, it } from "vitest";
import type { LimitLab } from "../support/limit-lab.ts";
import { openLimitLab } from "../support/limit-lab.ts";
import { IS_FULL } from "../support/scale.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import type { PrivateServer } from "../support/servers/private-server.ts";
import { startRedis } from "../support/servers/redis.ts";
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

let venue: VenueProcess | undefined;
let redis: PrivateServer | undefined;
let lab: LimitLab | undefined;

afterEach(async () => {
  await lab?.close();
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

/** Sets the venue's clock so that its next minute begins in `ms`; how far it is ahead then. */
async function beginBeforeMinute({ admin }: VenueProcess, ms: number): Promise<number> {
  const offset = MINUTE_MS - ms - (Date.now() % MINUTE_MS);
  await admin.setClockOffset(offset);
  return offset;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
