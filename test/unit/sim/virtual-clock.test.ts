/** The clock of a replay. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";

/** Runs every timer up to `end`, as the drive of a replay does. */
function runUntil(clock: VirtualClock, end: number): void {
  for (let at = clock.nextTimerAt(); at !== undefined && at <= end; at = clock.nextTimerAt()) {
    clock.advanceTo(at);
    clock.runDueTimer();
  }
  clock.advanceTo(end as Instant);
}

describe("the virtual clock", () => {
  it("runs timers by their time, then in the order in which they were set, and no cancelled one", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ delay: fc.nat(20), cancelled: fc.boolean() })), (timers) => {
        const clock = new VirtualClock(100 as Instant);
        const ran: string[] = [];
        const cancels = timers.map(({ delay }, index) =>
          clock.after(delay, () => ran.push(`${index} at ${clock.now()}`)),
        );
        timers.forEach(({ cancelled }, index) => cancelled && cancels[index]?.());

        runUntil(clock, 200);

        const expected = timers
          .map(({ delay, cancelled }, index) => ({ delay, cancelled, index }))
          .filter(({ cancelled }) => !cancelled)
          .sort((a, b) => a.delay - b.delay || a.index - b.index)
          .map(({ delay, index }) => `${index} at ${100 + delay}`);
        expect(ran).toEqual(expected);
      }),
    );
  });

  it("stands still by itself, and monotonic time is its time", () => {
    const clock = new VirtualClock(100 as Instant);
    let ran = false;
    clock.after(0, () => (ran = true));

    expect([clock.now(), clock.monotonic(), clock.nextTimerAt(), ran]).toEqual([100, 100, 100, false]);
  });

  it("runs timers that timers set, and rounds a part of a millisecond up", () => {
    const clock = new VirtualClock(0 as Instant);
    const ran: number[] = [];
    clock.after(10 / 3, () => {
      ran.push(clock.now());
      clock.after(5, () => ran.push(clock.now()));
    });

    runUntil(clock, 100);

    expect(ran).toEqual([4, 9]);
  });

  it("refuses to go back, or past a timer", () => {
    const clock = new VirtualClock(100 as Instant);
    clock.after(50, () => undefined);

    expect(() => clock.advanceTo(99 as Instant)).toThrow("time cannot go to 99");
    expect(() => clock.advanceTo(151 as Instant)).toThrow("time cannot go to 151");
  });
});
