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
      for (let run = 0; run < runs; run += 1) {
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
      console.log(`${runs} runs of ${lattice} with outages from seed ${baseSeed}`, seen);

      expect(failures).toEqual([]);
      const { lateFill, ...reached } = seen;
      expect(lateFill).toBe(0);
      for (const [name, count] of Object.entries(reached))
        expect(count, `${name} never happened`).toBeGreaterThan(0);
    },
  );
});
