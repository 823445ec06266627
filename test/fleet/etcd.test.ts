/** A trading fleet whose etcd fails: nobody sends past its permit, all go on by themselves, nothing is doubled or lost. */
import { Etcd3 } from "etcd3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freshSeed } from "../support/scale.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, PATIENT, REQUEST_WINDOW_MS, timeOf, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";
import { readJournal } from "../support/venue-audit.ts";

const SYMBOLS = 20;
const LEASE_S = 5;
/** The share of its lease in which an instance may act, after the last renewal that it sent. */
const PERMIT_MS = 700 * LEASE_S;
const OUTAGE_MS = 10_000;
/** How wrong an instance may be about the venue's clock. */
const CLOCK_ERROR_MS = 250;
const GENEROUS_MS = 60_000;
const seed = freshSeed();

describeWithServers(
  ["etcd", "postgres", "redis-server"],
  `a trading fleet whose etcd fails (seed ${seed})`,
  () => {
    let lab: FleetLab;
    let fleet: FleetInstance[];

    beforeAll(async () => {
      lab = await FleetLab.open({
        symbols: SYMBOLS,
        etcdSize: 3,
        cutsEtcd: true,
        coordination: { ...PATIENT, lease_ttl: LEASE_S },
      });
      fleet = [lab.start("a"), lab.start("b"), lab.start("s", { standby: true })];
      await Promise.all(
        fleet.map(({ command }) => command.line(({ event }) => event === "instance.started", 60_000)),
      );
      await until(
        async () =>
          Object.keys(await lab.holders())
            .sort()
            .join() === "a,b",
        60_000,
      );
      lab.startMarket(seed);
      await untilTrading(Date.now());
    }, 180_000);
    afterAll(async () => {
      await lab.close();
    }, 60_000);

    /** When each order and cancel was signed, in the order in which the venue took them. */
    const signedAt = (): readonly number[] =>
      readJournal(lab.venue.journal)
        .filter((line) => line.kind === "place" || line.kind === "cancel")
        .map(({ validUntil }) => validUntil - REQUEST_WINDOW_MS);
    /** Waits until both owners have signed requests at least a second after `since`. */
    const untilTrading = async (since: number): Promise<void> =>
      until(
        () =>
          ["a", "b"].every((id) =>
            lab
              .requestsOf(id)
              .some(({ validUntil, outcome }) => outcome === "accepted" && validUntil > since + 2000),
          ),
        GENEROUS_MS,
      );
    const said = (event: string, since: number): readonly string[] =>
      fleet.flatMap(({ id, command }) =>
        command.lines.some((line) => line.event === event && timeOf(line) >= since) ? [id] : [],
      );

    it("trades on while the leader of etcd is killed, and moves nothing", async () => {
      const before = await lab.holders();
      const killed = Date.now();
      const leader = await lab.etcdLeader();
      await leader.crash();

      await untilTrading(killed);
      // For longer than a permit lasts: it must have been renewed at another member.
      await until(() => Date.now() > killed + PERMIT_MS + REQUEST_WINDOW_MS);
      await untilTrading(killed + PERMIT_MS);

      await leader.restart();
      expect(await lab.holders()).toEqual(before);
      expect(said("seat.lost", killed)).toEqual([]);
    });

    it("trades on where etcd ends the leases of all instances at once, and moves nothing", async () => {
      const before = await lab.holders();
      const ended = Date.now();
      await lab.endLeases();

      await until(() => said("coordination.registration_lost", ended).join() === "a,b,s", GENEROUS_MS);
      await untilTrading(Date.now());

      expect(await lab.holders()).toEqual(before);
      expect(said("seat.lost", ended)).toEqual([]);
    });

    it("sends nothing past its permits while the whole cluster is down for ten seconds, and trades on by itself", async () => {
      const before = await lab.holders();
      const down = Date.now();
      await Promise.all(lab.etcd.map((node) => node.crash()));
      const dead = Date.now();
      await until(() => Date.now() >= dead + OUTAGE_MS);
      const up = Date.now();
      await Promise.all(lab.etcd.map((node) => node.restart()));
      await untilTrading(up);

      const signed = signedAt();
      const late = signed.filter((at) => at > dead + PERMIT_MS + CLOCK_ERROR_MS && at < up);
      const first = Math.min(...signed.filter((at) => at >= up)) - up;
      console.log(
        `etcd down: ${signed.filter((at) => at > down && at < up).length} requests within the permits, ` +
          `the first again ${first.toFixed(0)} ms after it was started again`,
      );
      expect(late.map((at) => at - dead)).toEqual([]);
      expect(signed.some((at) => at > dead && at < dead + PERMIT_MS)).toBe(true);
      await until(async () => sum(await lab.holders()) === SYMBOLS, GENEROUS_MS);
      expect(await lab.holders()).toEqual(before);
      expect(said("bot.failed", down)).toEqual([]);
    });

    it("follows what was changed and compacted while every connection to etcd was dead", async () => {
      const started = Date.now();
      const [moved] = await lab.query<{ symbol: string }>(
        "select symbol from claims where holder like 'a %' and token <> '' order by symbol",
      );
      const seat = (await lab.view()).seats.find(({ holder }) => holder.id === "b");
      for (const link of lab.etcdLinks) link.freeze();
      await lab.pin(moved?.symbol ?? "", seat?.number ?? 0);
      const etcd = new Etcd3({ hosts: `http://127.0.0.1:${lab.etcd[0]?.port ?? 0}` });
      const { header } = await etcd.kv.range({ key: Buffer.from("x") });
      await etcd.kv.compact({ revision: header.revision, physical: true });
      etcd.close();
      for (const link of lab.etcdLinks) link.mend();

      await until(async () => {
        const [row] = await lab.query<{ holder: string }>(
          `select holder from claims where symbol = '${moved?.symbol ?? ""}' and token <> ''`,
        );
        return row?.holder.startsWith("b ") ?? false;
      }, GENEROUS_MS);
      await untilTrading(Date.now());
      expect(said("seat.lost", started)).toEqual([]);
    });

    it("trades on where its connections to etcd drop twice in a row, again and again", async () => {
      const before = await lab.holders();
      const started = Date.now();
      for (let round = 0; round < 5; round += 1) {
        const made = lab.etcdLinks.map(({ connections }) => connections);
        for (const link of lab.etcdLinks) link.drop();
        // As soon as they have come back they drop again.
        await until(() => lab.etcdLinks.some(({ connections }, index) => connections > (made[index] ?? 0)));
        for (const link of lab.etcdLinks) link.drop();
        await untilTrading(Date.now());
      }
      expect(await lab.holders()).toEqual(before);
      expect(said("seat.lost", started)).toEqual([]);
    });

    it("has lost no fill and placed nothing twice", async () => {
      await lab.settle(fleet);
      const verdict = await judgeFleet(lab);
      console.log(JSON.stringify(verdict));
      expect(verdict.fills).toBeGreaterThan(10);
    });
  },
);

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
