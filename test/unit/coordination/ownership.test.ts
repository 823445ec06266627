/** What an instance opens and gives away, on a virtual clock. */
import { beforeEach, describe, expect, it } from "vitest";
import { Ownership } from "../../../src/coordination/ownership.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import { logInto } from "../../support/kept-log.ts";

const SYMBOLS = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];

describe("an instance that gives ten symbols away", () => {
  let clock: VirtualClock;
  let ownership: Ownership;
  let opened: string[];
  let stopping: string[];
  let released: string[];
  /** Lets a bot come to its stop. */
  let stopped: Map<string, () => void>;

  beforeEach(() => {
    clock = new VirtualClock(1_000_000 as Instant);
    [opened, stopping, released, stopped] = [[], [], [], new Map()];
    const host = {
      open: (symbol: string) => void opened.push(symbol),
      drop: () => undefined,
      handOver: async (symbol: string) => {
        stopping.push(symbol);
        await new Promise<void>((resolve) => stopped.set(symbol, resolve));
      },
    };
    ownership = new Ownership(host, clock, logInto([]), (symbol) => void released.push(symbol));
    ownership.want(new Set(SYMBOLS));
    ownership.want(new Set());
  });

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const release = async (symbol: string): Promise<void> => {
    stopped.get(symbol)?.();
    await settle();
  };
  /** Moves on to the next timer. */
  const pass = async (): Promise<number> => {
    const at = clock.nextTimerAt() ?? clock.now();
    const elapsed = at - clock.now();
    if (elapsed > 0) clock.advanceTo(at);
    clock.runDueTimer();
    await settle();
    return elapsed;
  };

  it("stops four of them, and the next when one of these is traded again", async () => {
    await settle();
    expect(stopping).toEqual(["A", "B", "C", "D"]);

    await release("B");
    expect(released).toEqual(["B"]);
    expect(stopping).toHaveLength(4);
    ownership.traded("B");
    await settle();

    expect(stopping).toEqual(["A", "B", "C", "D", "E"]);
  });

  it("stops the next a moment after one was released that nobody trades", async () => {
    await release("A");
    expect(stopping).toHaveLength(4);

    expect(await pass()).toBeLessThan(500);

    expect(stopping).toEqual(["A", "B", "C", "D", "E"]);
  });

  it("lets none wait for long for others that do not come to their stop", async () => {
    await settle();

    expect(await pass()).toBeLessThanOrEqual(2000);

    expect(stopping).toEqual(SYMBOLS);
    const given = ownership.whenGiven();
    for (const symbol of SYMBOLS) await release(symbol);
    await given;
    expect(released).toEqual(SYMBOLS);
  });

  it("opens one that it gets back while it waits for its turn after it was given away", async () => {
    opened.length = 0;
    ownership.want(new Set(["J"]));
    expect(opened).toEqual([]);

    await pass();
    await release("J");

    expect(opened).toEqual(["J"]);
  });
});
