/** The exchange's time as it is carried on here: a reading that took long says little of it. */
import { expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import type { Exchange } from "../../../src/exchange/exchange.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { ExchangeClock } from "../../../src/runner/exchange-clock.ts";

const AHEAD_MS = 500_000;

/** `trips`: how long each reading of the exchange's clock takes; all of it is on the way back. */
function lab(trips: readonly number[]) {
  const clock = new VirtualClock(1_000_000 as Instant);
  const left = [...trips];
  const time = async (): Promise<Instant> => {
    const told = (clock.now() + AHEAD_MS) as Instant;
    clock.advanceTo((clock.now() + (left.shift() ?? 0)) as Instant);
    return Promise.resolve(told);
  };
  const exchangeClock = new ExchangeClock(clock, { time } as unknown as Exchange);
  return { exchangeClock, left, error: () => exchangeClock.now() - (clock.now() + AHEAD_MS) };
}

it("takes a reading to be of the middle of its round trip", async () => {
  const { exchangeClock, error } = lab([200]);
  await exchangeClock.synchronize();
  expect(error()).toBe(-100);
});

it("reads again where this process slept during the reading", async () => {
  const { exchangeClock, error, left } = lab([60_000, 40, 40]);
  await exchangeClock.synchronize();
  expect(error()).toBe(-20);
  expect(left).toEqual([40]);
});

it("takes the shortest of a few readings where all take long", async () => {
  const { exchangeClock, error } = lab([5_000, 3_000, 4_000, 1]);
  await exchangeClock.synchronize();
  expect(error()).toBe(-1_500);
});
