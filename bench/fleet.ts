/** How long a fleet's symbols are without an owner: kills, freezes and handovers of real processes, beside a bare etcd lease. */
import { openEtcdStore } from "../src/coordination/etcd-store.ts";
import { endCommands } from "../test/support/command.ts";
import type { FleetInstance } from "../test/fleet/fleet-lab.ts";
import { FleetLab, timeOf, until } from "../test/fleet/fleet-lab.ts";
import type { BenchResult } from "./bench.ts";
import { spreadOf } from "./bench.ts";

const SYMBOLS = 60;
const KILLS = 20;
/** One for each seat: what was taken on suspicion is not taken so again for a while. */
const FREEZES = 3;
/** Deaths at whose moment a successor is only started. */
const COLD_STARTS = 4;
/** With a market that moves as fast as two cores can follow, and again while it stands still. */
const HANDOVERS = 20;
const LEASES = 5;
const SHORTEST_LEASE_MS = 2000;

export async function benchFleet(): Promise<readonly BenchResult[]> {
  // A seat waits for a successor that is only started: nobody else takes its symbols meanwhile.
  const lab = await FleetLab.open({ symbols: SYMBOLS, etcdSize: 3, coordination: { grace_ms: 60_000 } });
  try {
    const bare = await bareLease(lab);
    const fleet = new Fleet(lab);
    await fleet.start();
    lab.startMarket(1);
    const kills = { first: [] as number[], last: [] as number[], orders: [] as number[] };
    for (let kill = 0; kill < KILLS; kill += 1) await fleet.kill(kills);
    console.error(`all claims after a kill: ${kills.last.map(Math.round).join(", ")} ms`);
    const freezes: number[] = [];
    for (let freeze = 0; freeze < FREEZES; freeze += 1) freezes.push(await fleet.freeze());
    console.error(`killed ${KILLS} times; frozen ${FREEZES} times: ${freezes.map(Math.round).join(", ")} ms`);
    const cold: number[] = [];
    for (let start = 0; start < COLD_STARTS; start += 1) cold.push(await fleet.killWithoutStandby());
    const busy = await fleet.handOverMany();
    await lab.stopMarket();
    await lab.catchUp();
    const calm = await fleet.handOverMany();
    const against = (name: string, values: readonly number[]): BenchResult => result(name, values, bare);
    return [
      against("fleet: first claim after a kill", kills.first),
      against("fleet: all claims after a kill", kills.last),
      against("fleet: first order after a kill, warm standby", kills.orders),
      against("fleet: first order after a kill, cold start", cold),
      against("fleet: all claims after a freeze", freezes),
      against("fleet: pause of a planned move, restless market", busy),
      against("fleet: pause of a planned move, calm market", calm),
    ];
  } finally {
    await endCommands();
    await lab.close();
  }
}

class Fleet {
  readonly #lab: FleetLab;
  #instances: FleetInstance[] = [];

  constructor(lab: FleetLab) {
    this.#lab = lab;
  }

  async start(): Promise<void> {
    this.#instances = [
      ...["a", "b", "c"].map((id) => this.#lab.start(id)),
      this.#lab.start("d", { standby: true }),
    ];
    for (const one of this.#instances) await ready(one);
    await until(async () => sum(await this.#lab.holders()) === SYMBOLS, 60_000);
  }

  async kill(times: {
    readonly first: number[];
    readonly last: number[];
    readonly orders: number[];
  }): Promise<void> {
    const { victim, heir, count, heard } = await this.#pair();
    const killed = Date.now();
    victim.command.kill("SIGKILL");
    const claims = await this.#claims(heir, heard, count);
    times.first.push(Math.min(...claims) - killed);
    times.last.push(Math.max(...claims) - killed);
    times.orders.push((await this.#lab.firstOrder(heir, killed)) - killed);
    await until(
      () => heir.command.lines.slice(heard).filter(({ event }) => event === "bot.trading").length >= count,
      60_000,
    );
    await this.#startAgain(victim);
  }

  /** From a kill to the first order of an instance that is started at its moment. */
  async killWithoutStandby(): Promise<number> {
    const { victim, heir, count } = await this.#pair();
    heir.command.kill("SIGTERM");
    await heir.command.ended;
    const killed = Date.now();
    victim.command.kill("SIGKILL");
    const late = this.#lab.start(heir.id, { standby: true });
    this.#instances = this.#instances.map((one) => (one === heir ? late : one));
    const elapsedMs = (await this.#lab.firstOrder(late, killed)) - killed;
    await late.command.linesMatching(({ event }) => event === "bot.trading", count, 60_000);
    await this.#startAgain(victim);
    return elapsedMs;
  }

  async #startAgain(victim: FleetInstance): Promise<void> {
    const again = this.#lab.start(victim.id, victim.options);
    this.#instances = this.#instances.map((one) => (one === victim ? again : one));
    await ready(again);
  }

  async freeze(): Promise<number> {
    const { victim, heir, count, heard } = await this.#pair((await this.#lab.longestSeated()).id);
    const frozen = Date.now();
    victim.command.kill("SIGSTOP");
    const claims = await this.#claims(heir, heard, count);
    victim.command.kill("SIGCONT");
    await victim.command.line((line) => line.event === "seat.lost" && timeOf(line) > frozen);
    await heir.command.linesMatching(
      (line) => line.event === "bot.trading" && timeOf(line) > frozen,
      count,
      60_000,
    );
    return Math.max(...claims) - frozen;
  }

  async handOverMany(): Promise<readonly number[]> {
    const pauses: number[] = [];
    for (let turn = 0; turn < HANDOVERS; turn += 1) pauses.push(await this.#handOver(turn));
    console.error(`pauses of planned moves: ${pauses.map(Math.round).join(", ")} ms`);
    return pauses;
  }

  /** Moves a symbol to the next seat; the time in which nobody trades it. */
  async #handOver(turn: number): Promise<number> {
    const rows = await this.#lab.query<{ symbol: string; id: string }>(
      "select symbol, split_part(holder, ' ', 1) as id from claims where token <> '' order by symbol",
    );
    const { symbol, id } = rows[turn * 3] ?? { symbol: "", id: "" };
    const from = this.#instances.find((one) => one.id === id);
    const to = rows.find((row) => row.id !== id)?.id;
    const next = this.#instances.find((one) => one.id === to);
    if (!from || !next) throw new Error("there is nobody to hand over to");
    const seat = next.command.lines.filter(({ event }) => event.startsWith("seat.taken")).at(-1)?.["seat"];
    const heard = { from: from.command.lines.length, to: next.command.lines.length };
    await this.#lab.pin(symbol, Number(seat));
    const of = (event: string) => (line: Readonly<Record<string, unknown>>) =>
      line["event"] === event && line["symbol"] === symbol;
    await until(() => next.command.lines.slice(heard.to).some(of("bot.trading")), 30_000);
    const left = from.command.lines.slice(heard.from).find(of("bot.handing_over"));
    const taken = next.command.lines.slice(heard.to).find(of("bot.trading"));
    return left && taken ? timeOf(taken) - timeOf(left) : Number.NaN;
  }

  async #claims(heir: FleetInstance, heard: number, count: number): Promise<readonly number[]> {
    const news = () => heir.command.lines.slice(heard).filter(({ event }) => event === "bot.claimed");
    try {
      await until(() => news().length >= count, 60_000);
    } catch (cause) {
      const said = heir.command.lines.slice(heard).filter(({ event }) => !/order|trade|reconcil/.test(event));
      throw new Error(
        `${heir.id} claimed ${news().length} of ${count}:\n${said.map((line) => JSON.stringify(line)).join("\n")}`,
        { cause },
      );
    }
    return news().map(timeOf);
  }

  /** An owner, any if none is named, and the standby. */
  async #pair(id?: string): Promise<{
    readonly victim: FleetInstance;
    readonly heir: FleetInstance;
    readonly count: number;
    readonly heard: number;
  }> {
    const holders = await this.#lab.holders();
    const busy = this.#instances.filter(({ id }) => (holders[id] ?? 0) > 0);
    const heir = this.#instances.find((one) => !busy.includes(one));
    const victim = busy.find((one) => one.id === id) ?? busy[Math.floor(Math.random() * busy.length)];
    if (!heir || !victim) throw new Error("there is no standby");
    return { victim, heir, count: holders[victim.id] ?? 0, heard: heir.command.lines.length };
  }
}

/** Until it has warmed up, which a start does, and hears the three others beat: before that only its lease speaks. */
async function ready({ command }: FleetInstance): Promise<void> {
  await command.line(({ event }) => event === "instance.started", 60_000);
  await until(
    () =>
      new Set(command.lines.filter(({ event }) => event === "mesh.heard").map(({ peer }) => peer)).size >= 3,
    60_000,
  );
}

/** What an etcd lease alone achieves: from its last renewal to the event of its end. */
async function bareLease(lab: FleetLab): Promise<readonly number[]> {
  const store = openEtcdStore({
    hosts: lab.etcd.map(({ port }) => `http://127.0.0.1:${port}`),
    limitMs: 5000,
  });
  try {
    const times: number[] = [];
    for (let round = 0; round < LEASES; round += 1) {
      const { id } = await store.grantLease(SHORTEST_LEASE_MS);
      const key = `/bare/${round}`;
      const revision = (await store.write([], [{ kind: "put", key, value: "held", lease: id }])) ?? 0;
      await store.keepLease(id);
      const started = performance.now();
      const ended = new AbortController();
      await store.watch(key, revision + 1, () => ended.abort(), ended.signal);
      times.push(performance.now() - started);
    }
    return times;
  } finally {
    store.close();
  }
}

function result(name: string, values: readonly number[], bare: readonly number[]): BenchResult {
  const { median, min, max } = spreadOf(values);
  const reference = { name: "a bare etcd lease", value: spreadOf(bare).median };
  return { name, value: median, unit: "ms", min, max, reference, ratio: reference.value / median };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
