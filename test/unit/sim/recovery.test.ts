/** A simulated exchange that was killed goes on as one that never stopped. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import type { FaultName } from "../../../src/exchange/sim/faults.ts";
import type { SimMarket, SimOptions } from "../../../src/exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../../../src/exchange/sim/sim-exchange.ts";
import type { SimSymbol } from "../../../src/exchange/sim/sim-market.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import {
  SYMBOL,
  advance,
  cancel,
  everything,
  place,
  replayOf,
  simOptions,
  swings,
  walkOf,
} from "./sim-kit.ts";

const RUNS = process.env["QUANTMESH_TEST_SCALE"] === "full" ? 1_000 : 60;

/** Those that change what the exchange does. */
const WORLD_FAULTS: readonly FaultName[] = ["rejected", "partialFills", "fillInCancel"];

let folder = "";
const opened: SimMarket[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "sim-"));
});
afterEach(async () => {
  for (const market of opened.splice(0)) await market.close();
  fs.rmSync(folder, { recursive: true });
});

/** Opens the journal, with a wall clock that has gone on to `now` meanwhile. */
async function open(
  symbol: SimSymbol,
  journalFile: string,
  now: number,
  more: Partial<SimOptions> = {},
): Promise<SimMarket> {
  const wallClock = new VirtualClock(now as Instant);
  const market = await openSimExchange(simOptions(symbol, { journalFile, wallClock, ...more }));
  opened.push(market);
  return market;
}

type Command =
  | {
      readonly kind: "place";
      readonly side: "buy" | "sell";
      readonly price: number;
      readonly quantity: number;
    }
  | { readonly kind: "cancel"; readonly which: number };
type Action =
  | Command
  | { readonly kind: "advance"; readonly points: number }
  | { readonly kind: "crash" }
  /** Dies in the middle of writing what `command` does. */
  | { readonly kind: "tear"; readonly command: Command; readonly missing: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("place" as const),
      side: fc.constantFrom("buy" as const, "sell" as const),
      price: fc.integer({ min: 88, max: 112 }),
      quantity: fc.integer({ min: 1, max: 200 }),
    }),
  },
  fc.record({ kind: fc.constant("cancel" as const), which: fc.nat() }),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: command },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("advance" as const), points: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "crash" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("tear" as const),
      command,
      missing: fc.integer({ min: 1, max: 60 }),
    }),
  },
);

/** What the exchange itself does wrong: what only the bot sees is another thing after each start. */
const FAULTS = { seed: 7, rejected: 0.2, partialFills: 0.5, fillInCancel: 0.5, clockOffsetMs: 700 };
const CROWD = { seed: 7, maxQuantity: 30, depthTicks: 8 };
const LIVELY = { faults: FAULTS, crowd: CROWD };

describe.each<[string, SimSymbol, Partial<SimOptions>, readonly FaultName[]]>([
  ["a replay", replayOf(swings(60)), {}, []],
  ["a walk", walkOf(3), {}, []],
  ["a replay with faults", replayOf(swings(60)), { faults: FAULTS }, WORLD_FAULTS],
  ["a walk with a crowd", walkOf(3), { crowd: CROWD }, []],
  ["a replay with a crowd and faults", replayOf(swings(60)), LIVELY, ["rejected", "fillInCancel"]],
])("after any number of kills, %s", (_name, symbol, more, expectedFaults) => {
  it("shows the book, balances, trades and time of one that never stopped", async () => {
    let [fills, crashes, tears] = [0, 0, 0];
    const struck: Partial<Record<FaultName, number>> = {};
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 40 }), async (actions) => {
        run += 1;
        const [whole, file] = [path.join(folder, `whole-${run}`), path.join(folder, `killed-${run}`)];
        const steady = await open(symbol, whole, 5_000, more);
        let killed = await open(symbol, file, 5_000, more);
        for (const [number, each] of actions.entries()) {
          if (each.kind === "advance") {
            await advance(steady, each.points);
            await advance(killed, each.points);
          } else if (each.kind === "crash" || each.kind === "tear") {
            if (each.kind === "tear") {
              await carryOut(killed, each.command, `torn${number}`);
              fs.truncateSync(file, fs.statSync(file).size - each.missing);
              tears += 1;
            }
            crashes += 1;
            killed = await open(symbol, file, killed.clock.now(), more);
          } else {
            await carryOut(steady, each, `order${number}`);
            await carryOut(killed, each, `order${number}`);
          }
          expect(await everything(killed)).toEqual(await everything(steady));
        }
        for (const name of expectedFaults) struck[name] = (struck[name] ?? 0) + steady.faults()[name];
        fills += (await steady.exchange.fillsSince(SYMBOL, undefined)).fills.length;
        for (const market of opened.splice(0)) await market.close();
      }),
      { numRuns: RUNS },
    );
    // Without these the comparison would prove nothing.
    expect(Math.min(fills, crashes, tears)).toBeGreaterThan(RUNS / 2);
    for (const name of expectedFaults)
      expect([name, struck[name] ?? 0]).toEqual([name, expect.toSatisfy(isOften)]);
  });

  it("keeps a fill and its time where the kill came between the point and its line", async () => {
    const file = path.join(folder, "journal");
    const market = await open(symbol, file, 5_000, more);
    for (const [index, offset] of [1, 2, 3, 4].entries()) {
      await place(market.exchange, `a${index}`, "buy", 100 - offset, 100);
      await place(market.exchange, `b${index}`, "sell", 100 + offset, 100);
    }
    while ((await market.exchange.fillsSince(SYMBOL, undefined)).fills.length === 0) await advance(market, 1);
    const before = await everything(market);
    const lines = fs.readFileSync(file, "utf8").split("\n");
    expect(lines.at(-2)).toContain('"kind":"move"');
    fs.writeFileSync(file, `${lines.slice(0, -2).join("\n")}\n`);

    const reopened = await open(symbol, file, market.clock.now(), more);
    expect(await everything(reopened)).toEqual(before);

    // The line is there again, or the fill would take the time of a later point.
    const { fills } = await reopened.exchange.fillsSince(SYMBOL, undefined);
    await advance(reopened, 3);
    const again = await open(symbol, file, reopened.clock.now(), more);
    expect((await again.exchange.fillsSince(SYMBOL, undefined)).fills.slice(0, fills.length)).toEqual(fills);
  });
});

describe("a market with faults", () => {
  it("opens again without them, and has done what they did", async () => {
    const file = path.join(folder, "journal");
    const market = await open(replayOf(swings(60)), file, 0, {
      faults: { rejected: 0.5, partialFills: 1, fillInCancel: 1 },
    });
    for (let index = 0; index < 8; index += 1) {
      await place(market.exchange, `buy${index}`, "buy", 89 + index, 50);
      await advance(market, 1);
      await cancel(market.exchange, String(index));
    }
    expect(Math.min(...WORLD_FAULTS.map((name) => market.faults()[name]))).toBeGreaterThan(0);

    const reopened = await open(replayOf(swings(60)), file, 0);

    expect(await everything(reopened)).toEqual(await everything(market));
    expect(Object.values(reopened.faults()).some((count) => count > 0)).toBe(false);
  });
});

describe("a walk that was killed", () => {
  it("does not go back in time where the computer's clock did", async () => {
    const file = path.join(folder, "journal");
    const market = await open(walkOf(3), file, 5_000);
    await advance(market, 4);

    const reopened = await open(walkOf(3), file, 1_000);

    expect(await reopened.exchange.time()).toBe(6_000);
  });
});

function isOften(count: number): boolean {
  return count > RUNS / 4;
}

/** Cancels the n-th open order, or places one. */
async function carryOut(market: SimMarket, each: Command, id: string): Promise<void> {
  if (each.kind === "place") {
    await place(market.exchange, id, each.side, each.price, each.quantity);
    return;
  }
  const open = await market.exchange.openOrders(SYMBOL);
  await cancel(market.exchange, open[each.which % Math.max(1, open.length)]?.exchangeOrderId ?? "none");
}
