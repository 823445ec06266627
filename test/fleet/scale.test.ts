/** A fleet that grows and shrinks under load, and has no standby: the symbols spread, and nothing is lost. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithServers } from "../support/servers/private-server.ts";
import { freshSeed } from "../support/scale.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, PATIENT, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";

const SYMBOLS = 30;
/** `lease_ttl`, after which the symbols of a dead instance are owned again at the latest, and a second. */
const LEASE_AND_A_SECOND_MS = 11_000;
const seed = freshSeed();

describeWithServers(
  ["etcd", "postgres", "redis-server"],
  `a fleet that grows and shrinks (seed ${seed})`,
  () => {
    let lab: FleetLab;
    let fleet: FleetInstance[];

    beforeAll(async () => {
      lab = await FleetLab.open({ symbols: SYMBOLS, coordination: PATIENT });
      const first = lab.start("a");
      fleet = [first];
      await first.command.line(({ event }) => event === "instance.started", 60_000);
      await until(async () => (await owned()).total === SYMBOLS, 60_000);
      lab.startMarket(seed);
    }, 180_000);
    afterAll(async () => {
      await lab.close();
    }, 60_000);

    const owned = async (): Promise<{
      readonly total: number;
      readonly owners: string;
      readonly most: number;
    }> => {
      const holders = await lab.holders();
      const counts = Object.values(holders);
      return {
        total: counts.reduce((sum, count) => sum + count, 0),
        owners: Object.keys(holders).sort().join(),
        most: Math.max(0, ...counts),
      };
    };

    it("shares what one instance traded among five, none with more than a quarter above the mean", async () => {
      fleet = [...fleet, ...["b", "c", "d", "e"].map((id) => lab.start(id))];

      await until(async () => {
        const { total, owners } = await owned();
        return total === SYMBOLS && owners === "a,b,c,d,e";
      }, 90_000);
      // What still moves settles.
      await until(async () => (await owned()).most <= Math.floor((1.25 * SYMBOLS) / 5), 30_000);
    });

    it("gives everything to the two that stay when three are ended in order", async () => {
      const leaving = fleet.filter(({ id }) => "cde".includes(id));
      for (const { command } of leaving) command.kill("SIGTERM");
      const ends = await Promise.all(leaving.map(({ command }) => command.ended));
      expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);

      await until(async () => {
        const { total, owners } = await owned();
        return total === SYMBOLS && owners === "a,b";
      }, 60_000);
      fleet = fleet.filter((one) => !leaving.includes(one));
    });

    it("spreads the symbols of a killed instance within its lease and a second, where no standby is", async () => {
      const victim = fleet.find(({ id }) => id === "b");
      const killed = performance.now();
      victim?.command.kill("SIGKILL");

      await until(async () => {
        const { total, owners } = await owned();
        return total === SYMBOLS && owners === "a";
      }, 2 * LEASE_AND_A_SECOND_MS);
      const elapsedMs = performance.now() - killed;
      console.log(`spread ${elapsedMs.toFixed(0)} ms after the kill`);
      expect(elapsedMs).toBeLessThan(LEASE_AND_A_SECOND_MS);
      fleet = fleet.filter((one) => one !== victim);
    });

    it("has lost no fill and placed nothing twice", async () => {
      await lab.settle(fleet);
      const verdict = await judgeFleet(lab);
      console.log(JSON.stringify(verdict));
      expect(verdict.fills).toBeGreaterThan(10);
    });
  },
);
