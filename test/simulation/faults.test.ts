/** A whole instance against an exchange that loses, delays, repeats and refuses, by seeds: nothing twice, nothing lost. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NO_FAULT_COUNTS } from "../../src/exchange/sim/fault-dice.ts";
import { FAULT_NAMES } from "../../src/exchange/sim/faults.ts";
import { readAudit, readRefusals } from "../../src/exchange/sim/read-audit.ts";
import { expectSoundDrill } from "../support/expect-sound-drill.ts";
import type { LatticeName, OrderTypeName } from "../support/draw-drill.ts";
import { drawDrill } from "../support/draw-drill.ts";
import { runDrill } from "../support/fault-drill.ts";
import type { RarePaths } from "../support/rare-paths.ts";
import { NO_RARE_PATHS } from "../support/rare-paths.ts";
import { freshSeed, scaled } from "../support/scale.ts";

const baseSeed = freshSeed();
const TOO_LATE = { stale_beyond_settle_ms: 60_000, stale_queries: 0.5, lost_after: 0.2 };

/** What happens in few of the runs may happen in none of them: it is waited for in so many times as many. */
const MOST_TIMES = 5;

/** What needs a lie beyond those that are told here. */
const NEVER = { lateFill: 0, fillSpooled: 0, spoolFull: 0, fillDelivered: 0 };

describe(`an instance on an exchange that lies (seed ${baseSeed})`, () => {
  it.each(["range", "window"] as const)(
    "places nothing twice and loses no fill: lattice %s",
    { timeout: 3_600_000 },
    async (lattice) => {
      const runs = scaled(2_000);
      const failures: string[] = [];
      const struck = { ...NO_FAULT_COUNTS };
      const rare = { ...NO_RARE_PATHS };
      const seen = { expiredRefused: 0, postOnlyRefused: 0, trades: 0, runsWithTrades: 0 };
      const counts = (): Readonly<Record<string, number>> => {
        const { lateFill: _1, fillSpooled: _2, spoolFull: _3, fillDelivered: _4, ...reached } = rare;
        return { ...struck, ...seen, ...reached };
      };
      const isAllSeen = (): boolean => Object.values(counts()).every((count) => count > 0);
      let run = 0;
      for (; run < runs || (run < MOST_TIMES * runs && !isAllSeen()); run += 1) {
        const seed = baseSeed + run;
        const orderType = run % 2 === 0 ? "limit" : "post_only";
        try {
          await inFolder(async (folder) => {
            const end = await drill(folder, lattice, orderType, seed);
            const { trades } = end.status.totals;
            seen.trades += trades;
            if (trades > 0) seen.runsWithTrades += 1;
            for (const name of FAULT_NAMES) struck[name] += end.faults[name];
            for (const path of Object.keys(rare) as (keyof RarePaths)[]) rare[path] += end.rare[path];
            const refusals = readRefusals(journalIn(folder));
            seen.expiredRefused += refusals.filter(({ reason }) => reason === "expired").length;
            seen.postOnlyRefused += refusals.filter(({ reason }) => reason === "would_cross").length;
          });
        } catch (error) {
          failures.push(`seed ${seed}, ${lattice}, ${orderType}: ${String(error)}`);
        }
      }
      console.log(`${run} runs of ${lattice} from seed ${baseSeed}`, { ...seen, ...rare }, struck);

      expect(failures).toEqual([]);
      expect(seen.runsWithTrades).toBeGreaterThan(0.98 * run);
      // Nothing that the exchange may honestly do fills an order that has ended.
      expect(rare).toMatchObject(NEVER);
      for (const [name, count] of Object.entries(counts())) {
        expect(count, `${name} never happened`).toBeGreaterThan(0);
      }
    },
  );

  it("halts wherever queries later than promised have made it wrong, and never sends an id twice", async () => {
    const runs = scaled(300);
    const failures: string[] = [];
    const ends = { sound: 0, halted: 0 };
    for (let run = 0; run < runs; run += 1) {
      const seed = baseSeed + run;
      const lattice = run % 2 === 0 ? "range" : "window";
      try {
        await inFolder(async (folder) => {
          const end = await runDrill(await drawDrill(folder, lattice, "limit", seed, TOO_LATE));
          const ids = readAudit(journalIn(folder)).map(({ id }) => id);
          expect(new Set(ids).size, "an id was accepted twice").toBe(ids.length);
          const ending = end.status.mode === "halted" ? "halted" : "sound";
          if (ending === "sound") expectSoundDrill(end, journalIn(folder));
          else expect(end.log).toContainEqual(expect.objectContaining({ event: "bot.mode" }));
          ends[ending] += 1;
        });
      } catch (error) {
        failures.push(`seed ${seed}, ${lattice}: ${String(error)}`);
      }
    }
    console.log(`${runs} runs with late queries from seed ${baseSeed}`, ends);

    expect(failures).toEqual([]);
    expect(ends.sound).toBeGreaterThan(0);
    expect(ends.halted).toBeGreaterThan(0);
  });
});

async function drill(folder: string, lattice: LatticeName, orderType: OrderTypeName, seed: number) {
  const end = await runDrill(await drawDrill(folder, lattice, orderType, seed));
  expectSoundDrill(end, journalIn(folder));
  return end;
}

function journalIn(folder: string): string {
  return join(folder, "venue.journal");
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-faults-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
