/** A config that reaches some bots first, goes back by itself where it halts them, and goes back everywhere when asked. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { userInfo } from "node:os";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ConfigCentre } from "../../src/coordination/config-centre.ts";
import { openEtcdStore } from "../../src/coordination/etcd-store.ts";
import type { Member } from "../../src/coordination/fleet-view.ts";
import type { KeyEvent, KeyStore } from "../../src/coordination/key-store.ts";
import { canaryOf } from "../../src/coordination/roll-out.ts";
import { hasCode } from "../../src/domain/errors.ts";
import { runCommand } from "../support/command.ts";
import { IS_FULL, freshSeed } from "../support/scale.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";

const SYMBOLS = IS_FULL ? 60 : 12;
const PERCENT = 25;
const SHARE = (SYMBOLS * PERCENT) / 100;
const FLEET = "lab";
/** Of the machine's load nothing is learnt about the config. */
const PATIENT = ["--max-errors", "100000"];
/** Of what takes 2 s on a machine that has nothing else to do. */
const REVERT_LIMIT_MS = 15_000;
const ME = userInfo().username;
const seed = freshSeed();

type Grid = Readonly<Record<string, string>>;

interface Report {
  readonly at: number;
  readonly member: Member;
}

describeWithServers(
  ["etcd", "postgres", "redis-server"],
  `a config that is rolled out (seed ${seed})`,
  () => {
    let lab: FleetLab;
    let fleet: FleetInstance[];
    let store: KeyStore;
    let centre: ConfigCentre;
    let grids: readonly Grid[];
    const watching = new AbortController();
    let reading: Promise<void> = Promise.resolve();
    /** Every registration of every instance, as it came. */
    const reports: Report[] = [];

    const run = async (...args: readonly string[]) =>
      runCommand([...args, "-c", fleet[0]?.config ?? ""], { cwd: lab.folder });
    const done = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await run(...args);
      expect(stderr).toBe("");
      expect(code).toBe(0);
      return stdout;
    };
    /** `config set` of all grids, each as `change` makes it. */
    const setAll = async (change: (grid: Grid) => object, ...options: readonly string[]): Promise<string> => {
      const file = join(lab.folder, "next.yaml");
      writeFileSync(file, stringify({ trading: { reconcile_interval: 30, symbols: grids.map(change) } }));
      return done("config", "set", "--from", file, ...options);
    };
    const epochs = async (): Promise<ReadonlyMap<string, number>> => {
      const rows = await lab.query<{ symbol: string; epoch: string }>("select symbol, epoch from claims");
      return new Map(rows.map(({ symbol, epoch }) => [symbol, Number(epoch)]));
    };
    /** Bots that were started anew since `before`. */
    const touchedSince = async (before: ReadonlyMap<string, number>): Promise<readonly string[]> =>
      [...(await epochs())]
        .filter(([symbol, epoch]) => epoch !== before.get(symbol))
        .map(([symbol]) => symbol);
    const latest = (id: string): Member | undefined =>
      reports.findLast(({ member }) => member.id === id)?.member;
    const untilAllOn = async (version: number, limitMs = 60_000): Promise<void> =>
      until(() => fleet.every(({ id }) => latest(id)?.config === version && !latest(id)?.canary), limitMs);
    const modes = async (): Promise<ReadonlyMap<string, string>> => {
      const rows = await lab.query<{ symbol: string; mode: string }>("select symbol, mode from bots");
      return new Map(rows.map(({ symbol, mode }) => [symbol, mode]));
    };
    const newest = async (): Promise<number> => (await centre.current())?.version ?? 0;

    beforeAll(async () => {
      lab = await FleetLab.open({ symbols: SYMBOLS });
      fleet = [lab.start("a"), lab.start("b")];
      await Promise.all(
        fleet.map(({ command }) => command.line(({ event }) => event === "instance.started", 60_000)),
      );
      store = openEtcdStore({ hosts: lab.etcd.map(({ port }) => `http://127.0.0.1:${port}`), limitMs: 5000 });
      centre = new ConfigCentre(store, FLEET);
      const prefix = `/quantmesh/${FLEET}/instances/`;
      const { entries, revision } = await store.list(prefix);
      const note = (value: string): void => {
        reports.push({ at: performance.now(), member: JSON.parse(value) as Member });
      };
      for (const { value } of entries) note(value);
      let seen = revision;
      reading = (async () => {
        while (!watching.signal.aborted) {
          try {
            const listen = (events: readonly KeyEvent[]): void => {
              for (const event of events) {
                if (event.kind === "put") note(event.entry.value);
                seen = event.kind === "put" ? event.entry.revision : event.revision;
              }
            };
            await store.watch(prefix, seen + 1, listen, watching.signal);
          } catch (error) {
            // It goes on where it was: nothing is compacted here.
            if (!hasCode(error, "COORDINATION_UNAVAILABLE")) throw error;
          }
        }
      })();
      lab.startMarket(seed);
      await until(
        async () => [...(await modes()).values()].filter((mode) => mode === "running").length === SYMBOLS,
      );
      await until(() => fleet.every(({ id }) => (latest(id)?.symbols ?? 0) > 0));
      grids = parse(await done("config", "get", "trading.symbols"), {
        schema: "failsafe",
      }) as readonly Grid[];
    }, 180_000);
    afterAll(async () => {
      watching.abort();
      await reading;
      store.close();
      await lab.close();
    }, 60_000);

    it("reaches a share of the bots, and nobody else until it goes to all of them", async () => {
      expect(await done("config", "status")).toBe("all on v1\n");
      const before = await epochs();
      const canary = canaryOf(lab.symbols, 2, PERCENT);
      expect(canary).toHaveLength(SHARE);

      const said = await setAll(
        (grid) => ({ ...grid, buy_window_size: 2 }),
        "--canary",
        `${PERCENT}%`,
        "--manual",
        ...PATIENT,
      );

      expect(said).toContain(`first by ${canary.join(", ")} (${SHARE} of ${SYMBOLS} bots that change)`);
      const refused = await run("config", "set", "trading.symbols.S0/USDT.stop_loss", "50");
      expect(refused.stderr).toContain("version 2 is being rolled out");
      await until(() => {
        const trading = fleet.flatMap(({ id }) => {
          const report = latest(id)?.canary;
          return report?.kind === "running" ? report.trading : [];
        });
        return trading.toSorted().join() === canary.toSorted().join();
      });
      expect((await touchedSince(before)).toSorted()).toEqual(canary.toSorted());
      expect(fleet.map(({ id }) => latest(id)?.config)).toEqual([1, 1]);

      await done("config", "promote");
      await untilAllOn(2);
      await until(async () => (await touchedSince(before)).length === SYMBOLS);
      expect(await done("config", "status")).toBe(`all on v2\nv2 was rolled out to all by ${ME}\n`);
    });

    it("goes back by itself where it halts its bots, with none but the canary's touched, which then trade again", async () => {
      const before = await epochs();
      const from = reports.length;
      const good = await newest();
      const version = good + 1;
      const canary = canaryOf(lab.symbols, version, PERCENT);
      // `config set` refuses to re-lay a grid; a bot that is given one does not start.
      const state = await centre.state();
      const bad = grids.map((grid) => ({ ...grid, buy_window_size: "2", price_interval: "7" }));
      const written = await centre.write(
        state,
        { at: Date.now(), by: "test", shared: { trading: { reconcile_interval: "30", symbols: bad } } },
        {
          percent: PERCENT,
          windowMs: 60_000,
          maxErrors: 100_000,
          maxHalted: 0,
          isAutomatic: true,
          stoppedBefore: [],
          by: "test",
          at: Date.now(),
        },
      );
      expect(written).toBe(true);

      await untilAllOn(good + 2);

      const touched = await touchedSince(before);
      expect(canary).toEqual(expect.arrayContaining([...touched]));
      expect(touched.length).toBeGreaterThan(0);
      const seen = reports.slice(from).map(({ member }) => member);
      expect([...new Set(seen.map(({ config }) => config))].sort((a, b) => a - b)).toEqual([good, good + 2]);
      const halted = seen.flatMap(({ canary: report }) => (report?.kind === "running" ? report.stopped : []));
      expect(halted.length).toBeGreaterThan(0);
      expect(canary).toEqual(expect.arrayContaining(halted.map(({ symbol }) => symbol)));
      const shown = await done("config", "status");
      expect(shown).toContain(`all on v${good + 2}\nv${version} was rolled back as v${good + 2} by `);
      expect(shown).toMatch(/ by [ab]: \d+ halted/);
      expect((await centre.current())?.shared).toEqual(state.versions.at(-1)?.shared);
      const decided = fleet
        .flatMap(({ command }) => command.lines)
        .filter(({ event }) => event === "config.rolled_back");
      expect(decided).toHaveLength(1);
      expect(decided[0]).toMatchObject({ version, trip: "halted" });
      // What only the config had halted trades again, under a claim of its own.
      await until(async () => {
        const { problems } = JSON.parse(await done("status", "--json")) as { problems: readonly string[] };
        return problems.length === 0;
      });
      for (const symbol of canary)
        expect((await epochs()).get(symbol)).toBeGreaterThan(before.get(symbol) ?? 0);
      expect([...(await modes()).values()].every((mode) => mode === "running")).toBe(true);
    });

    it("goes back where its rules make a bot sell out, which stays closed, and says so", async () => {
      const before = await epochs();
      const good = await newest();
      const [first = ""] = canaryOf(lab.symbols, good + 1, 1);
      await lab.stopMarket();
      await lab.venue.admin.move(first, "101.00");
      const tight = (grid: Grid): object => ({ ...grid, buy_window_size: 2, stop_loss: "95" });
      await setAll(tight, "--canary", "1%", ...PATIENT);
      await until(() =>
        fleet.some(({ id }) => {
          const report = latest(id)?.canary;
          return report?.kind === "running" && report.trading.includes(first);
        }),
      );

      await lab.venue.admin.move(first, "94.00");

      await untilAllOn(good + 2);
      expect(await touchedSince(before)).toEqual([first]);
      const stopped = [...(await modes())].filter(([, mode]) => mode !== "running");
      expect(stopped.map(([symbol]) => symbol)).toEqual([first]);
      expect(await done("config", "status")).toContain(`1 halted (at most 0): ${first} (clos`);
      expect((await run("config", "rollback")).stderr).toContain(
        `version ${good + 2} is a roll-back to v${good} itself`,
      );
      lab.startMarket(seed);
    });

    it("is refused by the instances, and touches nobody, where its rules cannot hold at the price of the moment", async () => {
      const before = await epochs();
      const good = await newest();

      await setAll((grid) => ({ ...grid, buy_window_size: 2, stop_loss: "150" }), "--canary", "50%");

      await untilAllOn(good + 2);
      expect(await touchedSince(before)).toEqual([]);
      expect(await done("config", "status")).toContain("stop_loss 150 must be below the start price");
    });

    it("is promoted or ended by hand, and is no failure for a bot that stood still before", async () => {
      const narrow = (grid: Grid): object => ({ ...grid, buy_window_size: 1 });
      const good = await newest();
      const before = await epochs();
      await setAll(narrow, "--canary", "100%", "--manual", ...PATIENT);
      await until(() => fleet.every(({ id }) => latest(id)?.canary?.version === good + 1));
      expect(await done("config", "diff", String(good))).toContain(
        "~ trading.symbols.S0/USDT.buy_window_size: 2 → 1",
      );

      expect(await done("config", "rollback")).toContain(
        `version ${good + 2} is stored: rolls back v${good + 1} to v${good}`,
      );
      await untilAllOn(good + 2);
      expect(await touchedSince(before)).not.toHaveLength(0);

      await setAll(narrow, "--canary", `${PERCENT}%`, "--manual", ...PATIENT);
      await until(() => fleet.some(({ id }) => latest(id)?.canary?.version === good + 3));
      expect(await done("config", "promote")).toBe(`version ${good + 3} goes to all bots\n`);
      await untilAllOn(good + 3);
      expect(await done("config", "status")).toBe(
        `all on v${good + 3}\nv${good + 3} was rolled out to all by ${ME}\n`,
      );
      expect((await run("config", "promote")).stderr).toContain("no version is being rolled out");
      expect(await run("config", "rollback", "--to", "99")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`there is no version 99; kept are 1 to ${good + 3}`) as string,
      });
    });

    it("is reverted on the whole fleet within 2 s", async () => {
      const good = await newest();
      await setAll((grid) => ({ ...grid, buy_window_size: 4 }));
      await untilAllOn(good + 1);
      expect(await done("config", "diff")).toBe(`no instance runs anything but v${good + 1}\n`);
      const times: string[] = [];
      for (const target of [good, good + 1]) {
        const version = (await newest()) + 1;
        const from = reports.length;
        const asked = performance.now();

        const said = await done("config", "rollback", "--to", String(target));

        await untilAllOn(version, 60_000);
        const last = fleet.map(
          ({ id }) =>
            reports.slice(from).find(({ member }) => member.id === id && member.config === version)?.at ??
            Infinity,
        );
        const ms = Math.max(...last) - asked;
        times.push(`${ms.toFixed(0)} ms after the command was started; ${said.split("\n")[1] ?? ""}`);
        expect(ms).toBeLessThan(REVERT_LIMIT_MS);
      }
      console.log(`whole fleet reverted: ${times.join(" | ")}`);
    });

    it("goes to all by itself, also where one of the instances that watch over it dies in the middle", async () => {
      const [a, b] = fleet;
      const version = (await newest()) + 1;
      await setAll(
        (grid) => ({ ...grid, buy_window_size: 2 }),
        "--canary",
        `${PERCENT}%`,
        "--window",
        "2",
        ...PATIENT,
      );
      await until(() => fleet.some(({ id }) => latest(id)?.canary?.version === version));

      b?.command.kill("SIGKILL");
      await b?.command.ended;
      fleet = a ? [a] : [];

      await untilAllOn(version, 60_000);
      expect(await done("config", "status")).toContain(`v${version} was rolled out to all by a`);
    });

    it("has lost no fill and placed nothing twice", async () => {
      await lab.settle(fleet);
      const verdict = await judgeFleet(lab);
      console.log(JSON.stringify(verdict));
      expect(verdict.accepted).toBeGreaterThan(SYMBOLS);
    });
  },
);
