/** The exchange's time: what a reading is worth depends on how long it took. */
import { expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import { OffsetClock } from "../../../src/exchange/ccxt/offset-clock.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { logInto } from "../../support/kept-log.ts";

const nothing = (): void => undefined;
const NO_METRICS = { count: nothing, gauge: nothing, observe: nothing };
const NOW = 1_000_000 as Instant;
const open = (): OffsetClock => new OffsetClock(new VirtualClock(NOW), "binance", logInto([]), NO_METRICS);

it("takes a reading to be of the middle between request and answer", () => {
  const time = open();

  time.note(NOW + 5_000, NOW - 100, NOW);

  expect(time.now()).toBe(NOW + 5_050);
});

it("keeps what it knows where a late answer allows it, and not where that contradicts it", () => {
  const time = open();
  time.note(NOW + 5_050, NOW, NOW + 100);

  time.note(NOW + 5_001, NOW, NOW + 4_000);
  expect(time.now()).toBe(NOW + 5_000);

  time.note(NOW + 3_000, NOW, NOW + 4_000);
  expect(time.now()).toBe(NOW + 1_000);
});
