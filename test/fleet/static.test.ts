/** Two instances whose configs list some of the same symbols: whoever claims one first trades it, alone, until its lease ends. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithServers } from "../support/servers/private-server.ts";
import { freshSeed } from "../support/scale.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, timeOf, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";

const LEASE_S = 3;
const SYMBOLS = 9;
const GENEROUS_MS = 60_000;
const seed = freshSeed();

describeWithServers(["etcd", "postgres", "redis-server"], `two configs that overlap (seed ${seed})`, () => {
  let lab: FleetLab;
  let [a, b]: FleetInstance[] = [];
  let shared: readonly string[];

  beforeAll(async () => {
    lab = await FleetLab.open({
      symbols: SYMBOLS,
      coordination: { mode: "static", lease_ttl: LEASE_S },
    });
    shared = lab.symbols.slice(3, 6);
    a = lab.start("a", { symbols: lab.symbols.slice(0, 6) });
    await a.command.linesMatching(({ event }) => event === "bot.trading", 6, GENEROUS_MS);
    lab.startMarket(seed);
  }, 180_000);
  afterAll(async () => {
    await lab.close();
  }, 60_000);

  const holdersOf = async (symbols: readonly string[]): Promise<string> => {
    const rows = await lab.query<{ symbol: string; holder: string }>(
      "select symbol, split_part(holder, ' ', 1) as holder from claims where token <> ''",
    );
    const holders = rows.filter(({ symbol }) => symbols.includes(symbol)).map(({ holder }) => holder);
    return [...new Set(holders)].sort().join();
  };

  it("leave a symbol that both list to the one that has it, for as long as it renews its lease", async () => {
    b = lab.start("b", { symbols: lab.symbols.slice(3) });
    await b.command.linesMatching(({ event }) => event === "bot.trading", 3, GENEROUS_MS);
    for (const symbol of shared) {
      await b.command.line((line) => line.event === "claim.held" && line["symbol"] === symbol, GENEROUS_MS);
    }
    // Longer than a lease: it was renewed.
    const seen = Date.now();
    await until(() => Date.now() > seen + 1.5 * LEASE_S * 1000);

    expect(await holdersOf(shared)).toBe("a");
    expect(lab.requestsOf("b").filter(({ symbol }) => shared.includes(symbol))).toEqual([]);
  });

  it("let the other one have it when the lease of a killed owner has ended, and not before", async () => {
    const killed = Date.now();
    a?.command.kill("SIGKILL");

    await until(async () => (await holdersOf(shared)) === "b", GENEROUS_MS);
    const taken = (b?.command.lines ?? []).filter(
      (line) => line.event === "bot.claimed" && shared.includes(String(line["symbol"])),
    );
    const waits = taken.map((line) => timeOf(line) - killed);
    console.log(`taken over ${waits.map(Math.round).join(", ")} ms after the kill`);
    expect(waits).toHaveLength(shared.length);
    // Its last renewal may have been a third of the lease ago.
    expect(Math.min(...waits)).toBeGreaterThan((1000 * LEASE_S) / 2);
    await until(() => shared.some((symbol) => lab.requestsOf("b").some((line) => line.symbol === symbol)));
  });

  it("let the owner of before wait when it comes back, and have it when the other lets go", async () => {
    a = lab.start("a", { symbols: lab.symbols.slice(0, 6) });
    await a.command.line((line) => line.event === "claim.held" && line["symbol"] === shared[0], GENEROUS_MS);
    await until(async () => (await holdersOf(lab.symbols.slice(0, 3))) === "a", GENEROUS_MS);
    expect(await holdersOf(shared)).toBe("b");

    b?.command.kill("SIGTERM");
    expect((await b?.command.ended)?.code).toBe(0);

    await until(async () => (await holdersOf(shared)) === "a", GENEROUS_MS);
  });

  it("have lost no fill and placed nothing twice", async () => {
    b = lab.start("b", { symbols: lab.symbols.slice(3) });
    await b.command.linesMatching(({ event }) => event === "bot.trading", 3, GENEROUS_MS);
    await lab.settle([a, b].filter((one) => one !== undefined));
    const verdict = await judgeFleet(lab);
    console.log(JSON.stringify(verdict));
    expect(verdict.fills).toBeGreaterThan(10);
  });
});
