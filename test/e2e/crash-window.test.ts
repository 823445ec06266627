/** Kills replaying instances of both lattices, on an honest and on a lying exchange: nothing is lost, nothing placed twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectOneOrderAtATime } from "../support/expect-sound-drill.ts";
import type { EndState, Lab } from "../support/replay-lab.ts";
import { createLab, readEndState, runChild, writeCandles } from "../support/replay-lab.ts";
import { IS_FULL, freshSeed, scaled, seededRandom } from "../support/scale.ts";

const CANDLES = IS_FULL ? 1_500 : 800;
const LEAST_TRADES = IS_FULL ? 30 : 10;
const RANGE = "lattice: range, lower: 26000, upper: 28000, grids: 20";
const WINDOW = "lattice: window, price_interval: 100, buy_window_size: 6, min_order_value: 20";
/** All but unavailable reads, which rightly end a start; the simulation has them. */
const FAULTS = {
  lost_before: 0.05,
  lost_after: 0.05,
  late_answer: 0.05,
  late_request: 0.05,
  rejected: 0.05,
  duplicate_hint: 0.05,
  reordered_hints: 0.05,
  missing_hint: 0.05,
  silent_stream: 0.02,
  partial_fills: 0.1,
  fill_in_cancel: 0.05,
  lost_cancel_answer: 0.05,
  stale_queries: 0.05,
};
/** Of three replays: 200 and one. */
const KILLS_EACH = 67;

const seed = freshSeed();
describe(`a crash of a grid of either lattice (seed ${seed})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-crash-window-"));
  const random = seededRandom(seed);
  const candleFile = writeCandles(folder, CANDLES, seed);
  let uninterrupted: EndState;

  beforeAll(async () => {
    const lab = newLab(WINDOW);
    const end = await runChild(lab);
    expect(end.stderr).toBe("");
    uninterrupted = await readEndState(lab);
    lab.dispose();
    expect(uninterrupted.totals.trades).toBeGreaterThan(LEAST_TRADES);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("leaves a window with the fills, trades and position of an uninterrupted run", async () => {
    await killOften(WINDOW, undefined, (after, lab) => {
      expect(after.fills).toEqual(uninterrupted.fills);
      expect(after.trades).toEqual(uninterrupted.trades);
      expect(after.totals).toEqual(uninterrupted.totals);
      expect(after.resting).toEqual(uninterrupted.resting);
      expectOneOrderAtATime(lab.journal);
    });
  });

  it.each([
    ["range", RANGE],
    ["window", WINDOW],
  ])("on a lying exchange stores every fill once and knows every order: lattice %s", async (_name, grid) => {
    await killOften(grid, FAULTS, expectStoredWhole);
  });

  function newLab(grid: string, faults?: Readonly<Record<string, number>>): Lab {
    return createLab({ candleFile, grid, ...(faults ? { faults } : {}) });
  }

  /** Kills at random moments of the market's way, replay after replay, and checks the end of each. */
  async function killOften(
    grid: string,
    faults: Readonly<Record<string, number>> | undefined,
    check: (after: EndState, lab: Lab) => void,
  ): Promise<void> {
    const kills = scaled(KILLS_EACH);
    let done = 0;
    let runs = 0;
    let wholeRunMs = 3_000;
    while (done < kills) {
      const lab = newLab(grid, faults && { ...faults, seed: Math.floor(random() * 2 ** 31) });
      for (;;) {
        const killAfterMs = random() * wholeRunMs;
        const end = await runChild(lab, done < kills ? { killAfterMs } : {});
        if (end.signal !== "SIGKILL") {
          expect(end.code, `seed ${seed}: ${end.stderr}`).toBe(0);
          wholeRunMs = Math.max(end.ms, 1_000);
          break;
        }
        done += 1;
      }
      const after = await readEndState(lab);
      expect(after.totals.trades).toBeGreaterThan(0);
      check(after, lab);
      lab.dispose();
      runs += 1;
    }
    console.log(`${done} kills at random moments in ${runs} replays (seed ${seed})`);
  }
});

/** By the exchange's audit: every lot that it executed of our orders is stored, and nothing else. */
function expectStoredWhole(after: EndState, lab: Lab): void {
  expectOneOrderAtATime(lab.journal);
  const executed = (side: string): number =>
    after.audit.filter((order) => order.side === side).reduce((sum, order) => sum + order.executed, 0);
  const stored = (side: string): number =>
    after.fills.filter((fill) => fill.side === side).reduce((sum, fill) => sum + fill.quantity, 0);
  expect(new Set(after.fills.map(({ tradeId }) => tradeId)).size).toBe(after.fills.length);
  expect([stored("buy"), stored("sell")]).toEqual([executed("buy"), executed("sell")]);
  expect(after.totals.position).toBe(executed("buy") - executed("sell"));
  expect(after.totals.fills).toBe(after.fills.length);
}
