/** A fleet of real processes, killed, frozen and handed over; the venue's journal and the database judge. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithServers } from "../support/servers/private-server.ts";
import { IS_FULL, freshSeed, scaled, seededRandom } from "../support/scale.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, summarize, timeOf, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";

const SYMBOLS = 60;
/** On a machine that does nothing else the numbers are ten times smaller; `npm run bench -- fleet` judges them. */
const GENEROUS_MS = 15_000;
/** Whoever sleeps for so long is replaced. */
const CERTAIN_DEATH_MS = 2000;
const seed = freshSeed();

describeWithServers(
  ["etcd", "postgres", "redis-server"],
  `a fleet of three instances and a standby (seed ${seed})`,
  () => {
    let lab: FleetLab;
    let fleet: FleetInstance[];
    const random = seededRandom(seed);

    /** Whoever holds a seat, and whoever stands by, as the claims tell. */
    const owners = async (): Promise<readonly FleetInstance[]> => {
      const holders = await lab.holders();
      return fleet.filter(({ id }) => (holders[id] ?? 0) > 0);
    };
    const standby = async (): Promise<FleetInstance> => {
      const busy = await owners();
      const free = fleet.find((instance) => !busy.includes(instance));
      if (!free) throw new Error("there is no standby");
      return free;
    };
    const epochs = async (): Promise<Readonly<Record<string, number>>> => {
      const rows = await lab.query<{ symbol: string; epoch: string; holder: string }>(
        "select symbol, epoch, holder from claims",
      );
      return Object.fromEntries(
        rows.map(({ symbol, epoch, holder }) => [`${symbol} ${holder}`, Number(epoch)]),
      );
    };

    beforeAll(async () => {
      lab = await FleetLab.open({ symbols: SYMBOLS, etcdSize: 3 });
      fleet = [...["a", "b", "c"].map((id) => lab.start(id)), lab.start("d", { standby: true })];
      await until(
        () => fleet.every(({ command }) => command.lines.some(({ event }) => event === "instance.started")),
        60_000,
      );
      await until(async () => (await tradingNow(fleet)) === SYMBOLS, 60_000);
      lab.startMarket(seed);
    }, 180_000);
    afterAll(async () => {
      await lab.close();
    }, 60_000);

    it("gives the symbols of a killed instance to the standby, and moves no other", async () => {
      const claims: number[] = [];
      const orders: number[] = [];
      for (let kill = 0; kill < scaled(20); kill += 1) {
        const busy = await owners();
        const victim = busy[Math.floor(random() * busy.length)];
        const heir = await standby();
        if (!victim) throw new Error("nobody owns anything");
        const before = await epochs();
        const count = (await lab.holders())[victim.id] ?? 0;
        const heard = heir.command.lines.length;

        const killed = Date.now();
        victim.command.kill("SIGKILL");
        await until(async () => (await lab.holders())[heir.id] === count, GENEROUS_MS);

        const news = (event: string) =>
          heir.command.lines.slice(heard).filter((line) => line.event === event);
        claims.push(...news("bot.claimed").map((line) => timeOf(line) - killed));
        await until(() => news("bot.trading").length >= count, 60_000);
        orders.push(...news("bot.trading").map((line) => timeOf(line) - killed));
        const after = await epochs();
        for (const [name, epoch] of Object.entries(before)) {
          if (!name.includes(` ${victim.id} `)) expect(after[name], name).toBe(epoch);
        }
        fleet = fleet.map((one) => (one === victim ? lab.start(victim.id, victim.options) : one));
        const [back] = fleet.filter(({ id }) => id === victim.id);
        await back?.command.line(({ event }) => event === "instance.started", 60_000);
      }
      console.log(`killed: claims ${summarize(claims)}; reconciled and trading ${summarize(orders)}`);
      expect(Math.max(...claims)).toBeLessThan(GENEROUS_MS);
    });

    it("takes over from a frozen instance, which comes back as a standby and sends nothing that is accepted", async () => {
      const claims: number[] = [];
      for (const frozenMs of IS_FULL ? [300, 700, 1000, 2000, 5000, 15_000] : [300, 2500]) {
        const victim = (await owners())[0];
        const heir = await standby();
        if (!victim) throw new Error("nobody owns anything");
        const count = (await lab.holders())[victim.id] ?? 0;
        const heard = heir.command.lines.length;
        const frozen = Date.now();
        const isTakenOver = frozenMs >= CERTAIN_DEATH_MS;
        victim.command.kill("SIGSTOP");
        if (isTakenOver) await until(async () => (await lab.holders())[heir.id] === count, GENEROUS_MS);
        await until(() => Date.now() >= frozen + frozenMs);
        victim.command.kill("SIGCONT");
        // A short sleep may or may not cost the seat; that nothing is lost or doubled is judged at the end.
        if (!isTakenOver) continue;
        const first = heir.command.lines.slice(heard).filter(({ event }) => event === "bot.claimed");
        claims.push(...first.map((line) => timeOf(line) - frozen));
        await victim.command.line(({ event }) => event === "seat.lost", GENEROUS_MS);
      }
      console.log(`frozen: claims ${summarize(claims)} after the stop`);
      await until(async () => (await owners()).length === 3, GENEROUS_MS);
    });

    it("hands everything over when all instances are restarted one after the other", async () => {
      const pauses: number[] = [];
      for (const instance of [...fleet]) {
        instance.command.kill("SIGTERM");
        const { code } = await instance.command.ended;
        expect(code).toBe(0);
        await until(async () => sum(await lab.holders()) === SYMBOLS, 60_000);
        pauses.push(...pausesOf(fleet, instance));
        const again = lab.start(instance.id, instance.options);
        fleet = fleet.map((one) => (one === instance ? again : one));
        await again.command.line(({ event }) => event === "instance.started", 60_000);
        // One that stood by since it was taken over goes on to do so.
        await until(async () => (await owners()).length >= 2, 60_000);
      }
      console.log(`rolling restart: pause per symbol ${summarize(pauses)}`);
      expect(pauses.length).toBeGreaterThan(0);
    });

    it("has lost no fill and placed nothing twice", async () => {
      await lab.settle(fleet);

      const verdict = await judgeFleet(lab);

      console.log(JSON.stringify(verdict));
      expect(verdict.fills).toBeGreaterThan(50);
    });
  },
);

/** How many bots trade, by what their instances said last. */
async function tradingNow(fleet: readonly FleetInstance[]): Promise<number> {
  return fleet.flatMap(({ command }) => command.lines.filter(({ event }) => event === "bot.trading")).length;
}

/** From the end of trading at the one who left to the start of it at whoever came after, per symbol. */
function pausesOf(fleet: readonly FleetInstance[], left: FleetInstance): readonly number[] {
  const given = left.command.lines.filter(({ event }) => event === "bot.handing_over");
  const taken = fleet.flatMap(({ command }) => command.lines.filter(({ event }) => event === "bot.trading"));
  return given.flatMap((line) => {
    const next = taken.filter(
      ({ symbol, time }) => symbol === line["symbol"] && String(time) > String(line["time"]),
    );
    return next.length === 0 ? [] : [Math.min(...next.map(timeOf)) - timeOf(line)];
  });
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
