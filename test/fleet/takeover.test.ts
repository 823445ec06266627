/** A fleet of real processes, killed, frozen and handed over; the venue's journal and the database judge. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithServers } from "../support/servers/private-server.ts";
import { IS_FULL, freshSeed, scaled, seededRandom } from "../support/scale.ts";
import type { LogLine } from "../support/command.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, REQUEST_WINDOW_MS, summarize, timeOf, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";

const SYMBOLS = IS_FULL ? 60 : 24;
/** On a machine that does nothing else the numbers are ten times smaller; `npm run bench -- fleet` judges them. */
const GENEROUS_MS = 15_000;
/** For what is waited for and not judged. */
const LIMIT_MS = 60_000;
/** Symbols are handed over a few at a time, with less than this between two. */
const AT_REST_MS = 3000;
/** Whoever sleeps for so long is replaced. */
const CERTAIN_DEATH_MS = 2000;
/** How long a seat that was taken on suspicion is not taken so again. */
const PROTECTED_MS = 30_000;
const seed = freshSeed();

/** One freeze that cost an instance its seat; times are ms since 1970. */
interface Freeze {
  readonly victim: FleetInstance;
  /** How many lines it had said before. */
  readonly heard: number;
  readonly frozen: number;
  readonly resumed: number;
  /** When the heir claimed each of its symbols. */
  readonly claims: readonly number[];
}

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
    /** All is owned, and nothing has been handed over or claimed lately. */
    const isAtRest = async (): Promise<boolean> => {
      const moved = fleet.flatMap(({ command }) =>
        command.lines.filter(({ event }) => event === "bot.handed_over" || event === "bot.trading"),
      );
      const last = Math.max(...moved.map(timeOf));
      return sum(await lab.holders()) === SYMBOLS && Date.now() - last > AT_REST_MS;
    };
    const standby = async (): Promise<FleetInstance> => {
      const busy = await owners();
      const free = fleet.find((instance) => !busy.includes(instance));
      if (!free) throw new Error("there is no standby");
      return free;
    };
    /** An owner whose seat may be taken on suspicion: one that was so a moment ago may not. */
    const leastRecentlyTaken = async () => {
      const holder = await lab.longestSeated();
      const victim = fleet.find(({ id }) => id === holder.id);
      if (!victim) throw new Error("nobody owns anything");
      const taken = victim.command.lines.findLast(
        ({ event, how }) => event === "seat.taken_over" && how === "suspected",
      );
      if (taken) await until(() => Date.now() > timeOf(taken) + PROTECTED_MS, 2 * PROTECTED_MS);
      const rows = await lab.query<{ symbol: string }>(
        `select symbol from claims where token <> '' and holder like '${victim.id} %'`,
      );
      return { victim, symbols: rows.map(({ symbol }) => symbol) };
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
      // A seat waits for a successor that is only started.
      lab = await FleetLab.open({ symbols: SYMBOLS, etcdSize: 3, coordination: { grace_ms: 60_000 } });
      fleet = [...["a", "b", "c"].map((id) => lab.start(id)), lab.start("d", { standby: true })];
      await until(
        () => fleet.every(({ command }) => command.lines.some(({ event }) => event === "instance.started")),
        60_000,
      );
      // Seats that come up one after the other hand symbols on before all is at rest.
      await until(async () => (await owners()).length === 3 && (await isAtRest()), 60_000);
      lab.startMarket(seed);
    }, 180_000);
    afterAll(async () => {
      await lab.close();
    }, 60_000);

    it("gives the symbols of a killed instance to the standby, and moves no other", async () => {
      const claims: number[] = [];
      const orders: number[] = [];
      const warm: number[] = [];
      /** Until the last claim of each kill. */
      const last: number[] = [];
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
        await until(async () => (await lab.holders())[heir.id] === count, LIMIT_MS);

        warm.push((await lab.firstOrder(heir, killed)) - killed);
        const news = (event: string) =>
          heir.command.lines.slice(heard).filter((line) => line.event === event);
        const claimed = news("bot.claimed").map((line) => timeOf(line) - killed);
        claims.push(...claimed);
        last.push(Math.max(...claimed));
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
      expect(Math.max(...claims)).toBeLessThan(GENEROUS_MS);

      // Beside it: nobody stands by, and a successor is started at the moment of death.
      const cold: number[] = [];
      for (let kill = 0; kill < scaled(5); kill += 1) {
        const free = await standby();
        const [victim] = await owners();
        if (!victim) throw new Error("nobody owns anything");
        const count = (await lab.holders())[victim.id] ?? 0;
        free.command.kill("SIGTERM");
        expect((await free.command.ended).code).toBe(0);
        const killed = Date.now();
        victim.command.kill("SIGKILL");
        // Whenever it is started again, it has the role that it had before.
        const late = { ...lab.start(free.id, { standby: true }), options: free.options };
        fleet = fleet.map((one) => (one === free ? late : one));
        cold.push((await lab.firstOrder(late, killed)) - killed);
        await until(async () => (await lab.holders())[late.id] === count, 60_000);
        const back = lab.start(victim.id, victim.options);
        fleet = fleet.map((one) => (one === victim ? back : one));
        await back.command.line(({ event }) => event === "instance.started", 60_000);
      }
      console.log(
        `killed: claims ${summarize(claims)} (the last of each kill: ${last.join(" ")}); reconciled and trading ${summarize(orders)}; ` +
          `first order with a warm standby ${summarize(warm)}, with a cold start ${summarize(cold)}`,
      );
    });

    it("takes over from a frozen instance, which comes back as a standby and sends nothing that is accepted", async () => {
      const freezes: Freeze[] = [];
      for (const frozenMs of IS_FULL ? [300, 700, 1000, 2000, 5000, 15_000] : [300, 2500]) {
        const heir = await standby();
        const { victim, symbols } = await leastRecentlyTaken();
        const heard = { victim: victim.command.lines.length, heir: heir.command.lines.length };
        // Requests are on their way when it falls asleep.
        const sent = lab.requestsOf(victim.id).length;
        const moving = lab.move(symbols, random);
        await until(() => lab.requestsOf(victim.id).length > sent, LIMIT_MS);
        const frozen = Date.now();
        victim.command.kill("SIGSTOP");
        await moving;
        if (frozenMs >= CERTAIN_DEATH_MS)
          await until(async () => (await lab.holders())[heir.id] === symbols.length, LIMIT_MS);
        await until(() => Date.now() >= frozen + frozenMs);
        const resumed = Date.now();
        victim.command.kill("SIGCONT");

        // Either it has refuted by now, or its seat is another's.
        await until(async () => !(await lab.view()).challenges.has(victim.id), LIMIT_MS);
        const isTakenOver = (await lab.view()).seats.every(({ holder }) => holder.id !== victim.id);
        if (frozenMs >= CERTAIN_DEATH_MS) expect(isTakenOver).toBe(true);
        if (!isTakenOver) continue;
        await victim.command.line((line) => line.event === "seat.lost" && timeOf(line) >= resumed, LIMIT_MS);
        await until(async () => (await lab.holders())[heir.id] === symbols.length, LIMIT_MS);
        const claimed = heir.command.lines.slice(heard.heir).filter(({ event }) => event === "bot.claimed");
        freezes.push({ victim, heard: heard.victim, frozen, resumed, claims: claimed.map(timeOf) });
      }
      await until(async () => (await owners()).length === 3, LIMIT_MS);

      let expired = 0;
      let signedBefore = 0;
      for (const { victim, heard, frozen, resumed } of freezes) {
        const again = victim.command.lines.slice(heard).find(({ event }) => event === "bot.claimed");
        const sent = lab
          .requestsOf(victim.id)
          .filter(({ time }) => time >= resumed && (again === undefined || time < timeOf(again)));
        expired += sent.filter(({ outcome }) => outcome === "expired").length;
        // What was signed before it fell asleep may be alive for as long as a request lives, and is resolved by the heir.
        const taken = sent.filter(({ outcome }) => outcome !== "expired");
        const accepted = taken.filter(({ validUntil }) => {
          // Asleep it signs nothing: before the middle is before the stop, whatever the clocks and the signal take.
          const isSignedBefore = validUntil - REQUEST_WINDOW_MS < (frozen + resumed) / 2;
          return !(isSignedBefore && resumed < validUntil);
        });
        signedBefore += taken.length - accepted.length;
        expect(accepted, `sent by ${victim.id} after it had slept for ${resumed - frozen} ms`).toEqual([]);
      }
      const claims = freezes.flatMap((one) => one.claims.map((time) => time - one.frozen));
      console.log(
        `frozen, and taken over ${freezes.length} times: claims ${summarize(claims)} after the stop; ` +
          `sent after it: ${expired} refused as expired, ${signedBefore} signed before it and still alive`,
      );
      expect(freezes.length).toBeGreaterThan(0);
    });

    const restart = async (instance: FleetInstance): Promise<readonly number[]> => {
      const asked = Date.now();
      instance.command.kill("SIGTERM");
      const { code } = await instance.command.ended;
      expect(code).toBe(0);
      await until(async () => sum(await lab.holders()) === SYMBOLS, 60_000);
      // Claimed is not yet trading.
      const given = handedOver(instance, asked);
      await until(() => pausesOf(fleet, given).length === given.length, 60_000).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${newsOfUntraded(fleet, given)}`);
      });
      const pauses = pausesOf(fleet, given);
      const again = lab.start(instance.id, instance.options);
      fleet = fleet.map((one) => (one === instance ? again : one));
      await again.command.line(({ event }) => event === "instance.started", 60_000);
      // One that stood by since it was taken over goes on to do so.
      await until(async () => (await owners()).length >= 2, 60_000);
      return pauses;
    };

    it("hands everything over when all instances are restarted one after the other", async () => {
      const pauses: number[] = [];
      for (const instance of [...fleet]) pauses.push(...(await restart(instance)));
      console.log(`rolling restart: pause per symbol ${summarize(pauses)}`);
      // Each is handed over once or more; on a machine that stands still for long a seat is taken over instead.
      expect(pauses.length).toBeGreaterThanOrEqual(IS_FULL ? SYMBOLS : SYMBOLS / 2);
    });

    it("neither cancels nor places an order for a restart: while the market stands still, nothing is sent", async () => {
      await lab.stopMarket();
      await lab.catchUp();
      const before = lab.commands();

      const [instance] = await owners();
      const pauses = instance ? await restart(instance) : [];
      await until(async () => sum(await lab.holders()) === SYMBOLS, 60_000);
      await lab.catchUp();

      expect(pauses.length).toBeGreaterThan(0);
      expect(lab.commands().slice(before.length)).toEqual([]);
      lab.startMarket(seed + 1);
    });

    it("lets the standby have everything when all active instances are ended in order", async () => {
      const busy = await owners();
      // One that lost its seat while the others were restarted stands by as well: any of them may be the heir.
      const standbys = fleet.filter((instance) => !busy.includes(instance));
      expect(standbys).not.toEqual([]);

      for (const { command } of busy) command.kill("SIGTERM");
      for (const { command } of busy) expect((await command.ended).code).toBe(0);

      await until(async () => {
        const holders = await lab.holders();
        return standbys.reduce((sum, { id }) => sum + (holders[id] ?? 0), 0) === SYMBOLS;
      }, 60_000).catch((cause: unknown) => {
        const said = standbys.map(
          ({ id, command }) =>
            `${id}: ${JSON.stringify(command.lines.filter(({ event }) => /seat|mesh|coord/.test(event)).slice(-15))}`,
        );
        throw new Error(`nobody has it all:\n${said.join("\n")}`, { cause });
      });
      fleet = standbys;
    });

    it("has lost no fill and placed nothing twice", async () => {
      await lab.settle(fleet);

      const verdict = await judgeFleet(lab);

      console.log(JSON.stringify(verdict));
      expect(verdict.fills).toBeGreaterThan(50);
    });
  },
);

/** From the end of trading at the one who left to the start of it at whoever came after, for each that is traded again. */
function pausesOf(fleet: readonly FleetInstance[], given: readonly LogLine[]): readonly number[] {
  const taken = fleet.flatMap(({ command }) => command.lines.filter(({ event }) => event === "bot.trading"));
  return given.flatMap((line) => {
    const next = taken
      .filter((one) => one["symbol"] === line["symbol"])
      .map((one) => timeOf(one) - timeOf(line))
      .filter((pause) => pause > 0);
    return next.length === 0 ? [] : [Math.min(...next)];
  });
}

/** What all have said since then of the symbols that were handed over and nobody trades. */
function newsOfUntraded(fleet: readonly FleetInstance[], given: readonly LogLine[]): string {
  const news = given
    .filter((line) => pausesOf(fleet, [line]).length === 0)
    .flatMap((one) =>
      fleet.flatMap(({ id, command }) =>
        command.lines
          .filter((line) => line["symbol"] === one["symbol"] && timeOf(line) >= timeOf(one))
          .map((line) => `${id} ${JSON.stringify(line)}`),
      ),
    );
  return news.join("\n");
}

/** What it gave away from `since` on of what it traded: to let go of what another trades all the while pauses nothing. */
function handedOver({ command }: FleetInstance, since: number): readonly LogLine[] {
  const traded = new Set<unknown>();
  const given: LogLine[] = [];
  for (const line of command.lines) {
    if (line.event === "seat.lost") traded.clear();
    if (line.event === "bot.trading") traded.add(line["symbol"]);
    if (line.event === "bot.handing_over" && traded.delete(line["symbol"]) && timeOf(line) >= since)
      given.push(line);
  }
  return given;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
