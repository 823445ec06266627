/** What can go wrong with a stream of hints. */
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import type { MarketHint } from "../../../src/exchange/exchange.ts";
import { FaultDice } from "../../../src/exchange/sim/fault-dice.ts";
import type { FaultOptions } from "../../../src/exchange/sim/faults.ts";
import { completeFaults } from "../../../src/exchange/sim/faults.ts";
import { FaultyStream } from "../../../src/exchange/sim/faulty-stream.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";

const tick = (price: number): MarketHint => ({ kind: "tick", price: price as never, at: 0 as Instant });

/** Sends ticks of 1 to `count`, with an optional word after each, and returns the prices heard. */
function listen(options: FaultOptions, count: number): { heard: (number | string)[]; dice: FaultDice } {
  const dice = new FaultDice(completeFaults(options), 0);
  const heard: (number | string)[] = [];
  const clock = new VirtualClock(0 as Instant);
  const stream = new FaultyStream((hint) => heard.push(nameOf(hint)), dice, clock);
  for (let price = 1; price <= count; price += 1) stream.hear(tick(price));
  return { heard, dice };
}

function nameOf(hint: MarketHint): number | string {
  return hint.kind === "tick" ? hint.price : hint.kind;
}

describe("a stream of hints", () => {
  it("repeats a hint, right after itself", () => {
    const { heard, dice } = listen({ duplicateHint: 1 }, 3);
    expect(heard).toEqual([1, 1, 2, 2, 3, 3]);
    expect(dice.counts().duplicateHint).toBe(3);
  });

  it("lets a hint be overtaken by the next, and loses none by that", () => {
    const { heard, dice } = listen({ reorderedHints: 1 }, 6);
    expect(heard).toEqual([2, 1, 4, 3, 6, 5]);
    expect(dice.counts().reorderedHints).toBe(3);
  });

  it("loses a hint now and then, and says nothing", () => {
    const { heard, dice } = listen({ missingHint: 0.3 }, 200);
    expect(heard).toEqual(heard.toSorted((a, b) => Number(a) - Number(b)));
    expect(heard.length).toBe(200 - dice.counts().missingHint);
    expect(dice.counts().missingHint).toBeGreaterThan(30);
    expect(dice.counts().missingHint).toBeLessThan(90);
  });

  it("falls silent for a while, then tells of the gap and goes on", () => {
    const dice = new FaultDice(completeFaults({ silentStream: 1, silenceMs: 500 }), 0);
    const clock = new VirtualClock(0 as Instant);
    const heard: (number | string)[] = [];
    const stream = new FaultyStream((hint) => heard.push(nameOf(hint)), dice, clock);
    stream.hear(tick(1));
    stream.hear(tick(2));
    expect([heard, clock.nextTimerAt(), dice.counts().silentStream]).toEqual([[], 500, 1]);

    clock.advanceTo(500 as Instant);
    clock.runDueTimer();

    expect(heard).toEqual(["gap"]);
  });

  it("tells nothing any more once it is closed", () => {
    const dice = new FaultDice(completeFaults({ silentStream: 1 }), 0);
    const clock = new VirtualClock(0 as Instant);
    const heard: unknown[] = [];
    const stream = new FaultyStream((hint) => heard.push(hint), dice, clock);
    stream.hear(tick(1));

    stream.close();

    expect(clock.nextTimerAt()).toBeUndefined();
    expect(heard).toEqual([]);
  });
});
