/** A whole instance whose database goes away on top of all that its exchange does: every fill once, no order twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { drawDrill } from "../support/draw-drill.ts";
import { expectSoundDrill } from "../support/expect-sound-drill.ts";
import { runDrill } from "../support/fault-drill.ts";
import { freshSeed, scaled } from "../support/scale.ts";

const OUTAGE_RATE = 0.02;
/** What happens in few of the runs may happen in none of them: it is waited for in so many times as many. */
const MOST_TIMES = 5;
const baseSeed = freshSeed();

describe(`an instance whose database comes and goes (seed ${baseSeed})`, () => {
  it.each(["range", "window"] as const)(
    "places nothing twice and counts each fill once: lattice %s",
    { timeout: 3_600_000 },
    async (lattice) => {
      const runs = scaled(500);
      const failures: string[] = [];
      const seen = {
        cut: 0,
        refused: 0,
        fillSpooled: 0,
        spoolFull: 0,
        fillDelivered: 0,
        lateFill: 0,
        trades: 0,
      };
      const isAllSeen = (): boolean =>
        Object.entries(seen).every(([name, count]) => count > 0 || name === "lateFill");
      let run = 0;
      for (; run < runs || (run < MOST_TIMES * runs && !isAllSeen()); run += 1) {
        const seed = baseSeed + run;
        const folder = mkdtempSync(join(tmpdir(), "quantmesh-outage-"));
        try {
          const end = await runDrill(await drawDrill(folder, lattice, "limit", seed), OUTAGE_RATE);
          expectSoundDrill(end, join(folder, "venue.journal"));
          expect(end.outages.leftInSpool).toBe(0);
          seen.cut += end.outages.cut;
          seen.refused += end.outages.refused;
          seen.fillSpooled += end.rare.fillSpooled;
          seen.spoolFull += end.rare.spoolFull;
          seen.fillDelivered += end.rare.fillDelivered;
          seen.lateFill += end.rare.lateFill;
          seen.trades += end.status.totals.trades;
        } catch (error) {
          failures.push(`seed ${seed}, ${lattice}: ${String(error)}`);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      }
      console.log(`${run} runs of ${lattice} with outages from seed ${baseSeed}`, seen);

      expect(failures).toEqual([]);
      const { lateFill, ...reached } = seen;
      expect(lateFill).toBe(0);
      for (const [name, count] of Object.entries(reached))
        expect(count, `${name} never happened`).toBeGreaterThan(0);
    },
  );
});
