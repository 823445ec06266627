/** Kills a replaying instance at random moments and at each named point: nothing is lost, nothing is placed twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EndState, Lab } from "../support/replay-lab.ts";
import { createLab, readEndState, runChild, writeCandles } from "../support/replay-lab.ts";
import { IS_FULL, freshSeed, scaled, seededRandom } from "../support/scale.ts";

/** Before and after every port call of a run that starts, trades and ends; each must be hit. */
const POINTS = [
  "exchange.instrument",
  "exchange.time",
  "exchange.price",
  "exchange.openOrders",
  "exchange.ordersSince",
  "exchange.fillsSince",
  "exchange.placeOrder",
  "storage.fleetId",
  "storage.findBot",
  "storage.claim",
  "storage.createBot",
  "storage.loadLedger",
  "storage.insertIntent",
  "storage.commit",
  "storage.unstoredFills",
  "storage.saveFillCursor",
  "lock.tryAcquireEach",
  "lock.release",
].flatMap((call) => [`${call}:before`, `${call}:after`]);

/** Each point is killed in a replay of its own: a short run has shorter ones. */
const CANDLES = IS_FULL ? 2_500 : 800;
const LEAST_TRADES = IS_FULL ? 30 : 5;

describe("a crash", () => {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-crash-"));
  const seed = freshSeed();
  const random = seededRandom(seed);
  const candleFile = writeCandles(folder, CANDLES, seed);
  const newLab = (): Lab => createLab({ candleFile, grid: "lower: 26000, upper: 28000, grids: 20" });
  let uninterrupted: EndState;
  let hits: Readonly<Record<string, number>>;
  let wholeRunMs: number;

  beforeAll(async () => {
    console.log(`crash seed ${seed}`);
    const lab = newLab();
    const end = await runChild(lab);
    expect(end.stderr).toBe("");
    uninterrupted = await readEndState(lab);
    hits = JSON.parse(end.stdout.split("\n").at(-2) ?? "{}") as Record<string, number>;
    wholeRunMs = end.ms;
    lab.dispose();
    expect(uninterrupted.totals.trades).toBeGreaterThan(LEAST_TRADES);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("at random moments leaves the fills, trades and position of an uninterrupted run", async () => {
    const kills = scaled(50);
    let done = 0;
    let runs = 0;
    while (done < kills) {
      const lab = newLab();
      for (;;) {
        // Every life but the first starts with a recovery; some are too short for it.
        const killAfterMs = random() * wholeRunMs;
        const end = await runChild(lab, done < kills ? { killAfterMs } : {});
        expect(end.stderr).toBe("");
        if (end.signal !== "SIGKILL") break;
        done += 1;
      }
      expectSame(await readEndState(lab), uninterrupted);
      lab.dispose();
      runs += 1;
    }
    console.log(`${done} kills at random moments in ${runs} replays`);
  });

  it("at each named point leaves the fills, trades and position of an uninterrupted run", async () => {
    const table: string[] = [];
    for (const point of POINTS) {
      const count = hits[point] ?? 0;
      expect(count, `${point} was never reached`).toBeGreaterThan(0);
      const lab = newLab();
      const hit = 1 + Math.floor(random() * count);
      const killed = await runChild(lab, { crashAt: `${point}:${hit}` });
      expect(killed.signal, `${point}:${hit} did not kill: ${killed.stderr}`).toBe("SIGKILL");
      const end = await runChild(lab);
      expect(end.stderr).toBe("");
      expect(end.code).toBe(0);
      expectSame(await readEndState(lab), uninterrupted);
      lab.dispose();
      table.push(`${point.padEnd(30)} hit ${count} times, killed at ${hit}`);
    }
    console.log(table.join("\n"));
  });
});

function expectSame(after: EndState, before: EndState): void {
  expect(after.fills).toEqual(before.fills);
  expect(after.trades).toEqual(before.trades);
  expect(after.totals).toEqual(before.totals);
  expect(after.resting).toEqual(before.resting);
  expect(after.unresolved).toBe(0);
  const ids = after.audit.map(({ id }) => id);
  expect(new Set(ids).size, "an id was accepted twice").toBe(ids.length);
}
