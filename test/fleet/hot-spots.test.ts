/** Symbols made hot on the venue: proposed or moved, once, without a cancelled order; and moves to seats that are broken. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runCommand } from "../support/command.ts";
import { LinkProxy } from "../support/servers/link-proxy.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { IS_FULL, freshSeed, seededRandom } from "../support/scale.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, timeOf, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";
import { readJournal } from "../support/venue-audit.ts";

const SYMBOLS = 60;
/** How many times as often as any other the hot symbol moves. */
const FACTOR = 100;
const HOT_MOVES_PER_SECOND = 10;
const STEP_MS = 50;
const STATUS_EVERY_MS = 1_000;
/** A loaded machine has less load to tell of than the default asks for. */
const LEAST_LOAD = 20;
/** The limit, with half as much again for a loaded machine. */
const MOVED_WITHIN_MS = 45_000;
const CALM_MS = IS_FULL ? 600_000 : 10_000;
const HANDOVER_LIMIT_S = 5;
/** How many symbols the busier seat has; the ring would give it no more. */
const MANY = 37;
const seed = freshSeed();

interface Status {
  readonly instances: readonly { readonly id: string; readonly seat: number; readonly load: number }[];
  readonly symbols: readonly { readonly symbol: string; readonly owner: string; readonly epoch: number }[];
  readonly moves: readonly { readonly symbol: string; readonly to: number; readonly state: string }[];
  readonly problems: readonly string[];
}

describeWithServers(["etcd", "postgres", "redis-server"], `a fleet with a hot symbol (seed ${seed})`, () => {
  let lab: FleetLab;
  let a: FleetInstance;
  let b: FleetInstance;
  /** Between b and the database. */
  let link: LinkProxy;
  let hot: string | undefined;
  /** Symbols of the busier seat that no person has put there. */
  let free: readonly string[];
  let seats: Readonly<Record<string, number>>;
  let stopMarket: () => Promise<void> = async () => undefined;

  const run = async (...args: readonly string[]) =>
    runCommand([...args, "-c", a.config], { cwd: lab.folder });
  const status = async (): Promise<Status> => {
    const { code, stdout, stderr } = await run("status", "--json");
    expect([code, stderr]).toEqual([0, ""]);
    return JSON.parse(stdout) as Status;
  };
  /** Asks now and then, because each time is a process of its own; tells what it saw last where it does not come. */
  const untilStatus = async (holds: (shown: Status) => boolean, limitMs: number): Promise<void> => {
    const deadline = performance.now() + limitMs;
    for (let shown = await status(); !holds(shown); shown = await status()) {
      if (performance.now() > deadline) {
        const { instances, moves, problems } = shown;
        throw new Error(`not within ${limitMs} ms: ${JSON.stringify({ instances, moves, problems })}`);
      }
      await delay(STATUS_EVERY_MS);
    }
  };
  const ownerOf = async (symbol: string): Promise<string | undefined> => {
    const claims = await lab.query<{ holder: string }>(
      `select split_part(holder, ' ', 1) as holder from claims where symbol = '${symbol}' and token <> ''`,
    );
    return claims[0]?.holder;
  };
  const tradedBy = async (id: string): Promise<readonly string[]> =>
    (await status()).symbols.filter(({ owner }) => owner === id).map(({ symbol }) => symbol);
  const said = (instance: FleetInstance, event: string, symbol = hot) =>
    instance.command.lines.filter((line) => line.event === event && line["symbol"] === symbol);
  const metric = async ({ command }: FleetInstance, name: string): Promise<number> => {
    const { url } = await command.line(({ event }) => event === "instance.started", 60_000);
    const page = await (await fetch(`${String(url)}/metrics`)).text();
    const values = page.split("\n").filter((line) => line.startsWith(name) && !line.startsWith(`${name}_`));
    return values.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };

  /** Moves every price now and then; the hot symbol's a hundred times as often. */
  const startMarket = (): void => {
    const random = seededRandom(seed);
    const due = new Map<string, number>();
    const stopping = new AbortController();
    const moving = (async () => {
      while (!stopping.signal.aborted) {
        const now = performance.now();
        for (const symbol of lab.symbols) {
          const intervalMs = 1000 / (symbol === hot ? HOT_MOVES_PER_SECOND : HOT_MOVES_PER_SECOND / FACTOR);
          const at = Math.min(due.get(symbol) ?? now + intervalMs * random(), now + intervalMs);
          due.set(symbol, at > now ? at : Math.max(at + intervalMs, now));
          if (at <= now) await lab.venue.admin.move(symbol, (98 + 4 * random()).toFixed(2));
        }
        await delay(STEP_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    })();
    stopMarket = async () => {
      stopping.abort();
      await moving;
    };
  };

  /** Starts both, the one with the lower seat first. */
  const startFleet = async (enabled: "propose" | "automatic"): Promise<void> => {
    const dsn = new URL(lab.dsn);
    dsn.port = String(link.port);
    // A loaded machine may take more than the second that a call to etcd usually has.
    const etcd = { hosts: lab.etcd.map(({ port }) => `http://127.0.0.1:${port}`), limit_ms: 5000 };
    const coordination = { hot_spots: { enabled, least_load: LEAST_LOAD }, etcd };
    a = lab.start("a", { coordination });
    await a.command.line(({ event }) => event === "seat.taken", 90_000);
    b = lab.start("b", { coordination, dsn: String(dsn) });
    await b.command.line(({ event }) => event === "instance.started", 90_000);
    await until(async () => sum(await lab.holders()) === SYMBOLS && (await claimed("b")) > 0, 90_000);
  };
  const claimed = async (id: string): Promise<number> => (await lab.holders())[id] ?? 0;

  beforeAll(async () => {
    lab = await FleetLab.open({
      symbols: SYMBOLS,
      coordination: { handover_limit: HANDOVER_LIMIT_S },
      // A grid of fixed prices never cancels an order by itself.
      grid: { lattice: "range", lower: 95, upper: 105, grids: 10, order_quantity: 40, initial: "none" },
    });
    link = await LinkProxy.open(() => Number(new URL(lab.dsn).port));
    await startFleet("propose");
    const { instances } = await status();
    seats = Object.fromEntries(instances.map(({ id, seat }) => [id, seat]));
    const mine = await tradedBy("a");
    // One seat has half as many symbols again as the other: a hot symbol is better off there.
    free = mine.slice(0, 2);
    const others = [...mine.slice(2), ...(await tradedBy("b"))];
    for (const [index, symbol] of others.entries())
      await lab.pin(symbol, seats[index < MANY - free.length ? "a" : "b"] ?? 0);
    await until(async () => (await claimed("a")) === MANY && (await claimed("b")) === SYMBOLS - MANY, 60_000);
    startMarket();
  }, 240_000);
  afterAll(async () => {
    await stopMarket();
    await lab.close();
    await link.close();
  }, 60_000);

  it("shows which symbol should move where, and moves it when it is told to", async () => {
    await until(async () => (await metric(a, 'quantmesh_instance_load{resource="events"}')) > 0, 30_000);
    hot = free[0];
    await untilStatus(({ moves }) => moves.length > 0, MOVED_WITHIN_MS);

    expect((await status()).moves).toMatchObject([{ symbol: hot, to: seats["b"], state: "proposed" }]);
    expect((await run("status")).stdout).toContain(`symbols move ${hot ?? ""} --to ${seats["b"] ?? 0}`);
    expect(await ownerOf(hot ?? "")).toBe("a");
    expect(await run("rebalance", "--hot")).toMatchObject({
      code: 0,
      stdout: `${hot ?? ""} is at seat ${seats["b"] ?? 0}\n`,
    });
    expect(await ownerOf(hot ?? "")).toBe("b");

    hot = undefined;
    for (const { command } of [a, b]) command.kill("SIGTERM");
    await Promise.all([a, b].map(({ command }) => command.ended));
    await startFleet("automatic");
    await until(async () => (await claimed("b")) === SYMBOLS - MANY + 1, 60_000);
  });

  it("moves the symbol to the seat with less to do, once, and cancels none of its orders", async () => {
    await until(async () => (await metric(a, 'quantmesh_instance_load{resource="events"}')) > 0, 30_000);
    hot = free[1];
    const madeHot = Date.now();
    const taken = await b.command.line(
      ({ event, symbol }) => event === "handover.done" && symbol === hot,
      MOVED_WITHIN_MS,
    );
    const [moved] = [...said(a, "hot_spot.moved"), ...said(b, "hot_spot.moved")];
    const movedMs = timeOf(taken) - madeHot;
    console.log(
      `made hot: traded at the other seat after ${movedMs} ms, paused for ${String(taken["pausedMs"])} ms; ` +
        `load of the symbol ${String(moved?.["load"])}, of its seat ${String(moved?.["fromLoad"])}, of the other ${String(moved?.["toLoad"])}`,
    );
    expect(movedMs).toBeLessThan(MOVED_WITHIN_MS);
    expect(await metric(b, "quantmesh_handover_lag_seconds_count")).toBeGreaterThan(0);
    const { moves: shown } = await status();
    expect(shown.filter(({ symbol }) => symbol === hot)).toMatchObject([{ to: seats["b"], state: "moved" }]);

    const calmFrom = performance.now();
    await until(() => performance.now() - calmFrom > CALM_MS, CALM_MS + 5000);
    const moves = [a, b].flatMap(({ command }) =>
      command.lines.filter(({ event }) => event === "hot_spot.moved"),
    );
    expect(moves).toHaveLength(1);
    expect(await ownerOf(hot ?? "")).toBe("b");
    const rolledBack = await Promise.all(
      [a, b].map((one) => metric(one, "quantmesh_failed_handovers_total")),
    );
    expect(rolledBack).toEqual([0, 0]);
    expect(cancelled(lab)).toEqual([]);
  });

  it("rolls a move back whose new seat cannot claim the symbol, and counts it", async () => {
    const symbol = (await tradedBy("a")).find((one) => !free.includes(one)) ?? "";
    const before = await metric(a, "quantmesh_failed_handovers_total");
    const seat = (await status()).instances.find(({ id }) => id === "b")?.seat ?? 0;

    link.freeze();
    const end = await run("symbols", "move", symbol, "--to", String(seat));

    expect(end).toMatchObject({ code: 1 });
    expect(end.stderr).toContain(`seat ${seat} did not take ${symbol} over: the move was rolled back`);
    const undone = await a.command.line(({ event }) => event === "handover.rolled_back");
    console.log(
      `broken target: ${symbol} taken back after ${String(undone["waitedMs"])} ms, ${String(undone["reason"])}`,
    );
    await until(async () => (await ownerOf(symbol)) === "a");
    expect(await metric(a, "quantmesh_failed_handovers_total")).toBe(before + 1);
    expect((await run("status")).stdout).toContain(`${symbol} was rolled back`);
    link.mend();
  });

  it("takes a symbol back whose new seat falls asleep before it has it, and counts that too", async () => {
    // What the cut link has stopped at b trades again.
    await untilStatus(({ problems }) => problems.length === 0, 90_000);
    const symbol = (await tradedBy("a")).findLast((one) => !free.includes(one)) ?? "";
    const before = await metric(a, "quantmesh_failed_handovers_total");
    const seat = (await status()).instances.find(({ id }) => id === "b")?.seat ?? 0;

    const trading = said(a, "bot.trading", symbol).length;
    b.command.kill("SIGSTOP");
    await lab.pin(symbol, seat);
    await until(() => said(a, "bot.trading", symbol).length > trading, 60_000);
    await until(async () => (await metric(a, "quantmesh_failed_handovers_total")) === before + 1);
    b.command.kill("SIGCONT");
    await b.command.line(({ event }) => event === "seat.lost", 30_000);
  });

  it("has lost no fill, placed nothing twice, and cancelled nothing", async () => {
    await stopMarket();
    await lab.settle([a, b]);

    const verdict = await judgeFleet(lab);

    console.log(JSON.stringify(verdict));
    expect(cancelled(lab)).toEqual([]);
  });
});

/** The orders that were cancelled, for whatever reason, as the venue's own journal tells. */
function cancelled({ venue }: FleetLab): readonly string[] {
  const changes = readJournal(venue.journal).flatMap((line) => line.changes);
  return changes.filter(([, status]) => status === "canceled").map(([order]) => order);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
