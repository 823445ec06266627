/** A fleet steered from outside, all of it encrypted: status, moves, drains, a config that changes while it runs. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CertificateAuthority } from "../support/certificates.ts";
import { runCommand, startCommand } from "../support/command.ts";
import { describeWithServers } from "../support/servers/private-server.ts";
import { freshSeed } from "../support/scale.ts";
import type { FleetInstance } from "./fleet-lab.ts";
import { FleetLab, PATIENT, until } from "./fleet-lab.ts";
import { judgeFleet } from "./judge-fleet.ts";

const SYMBOLS = 12;
const seed = freshSeed();

interface Status {
  readonly instances: readonly {
    readonly id: string;
    readonly role: string;
    readonly seat?: number;
    readonly symbols: number;
    readonly config: number;
  }[];
  readonly symbols: readonly {
    readonly symbol: string;
    readonly seat: number;
    readonly owner: string;
    readonly epoch: number;
    readonly mode: string;
  }[];
  readonly problems: readonly string[];
}

describeWithServers(["etcd", "postgres", "redis-server"], `a fleet that is steered (seed ${seed})`, () => {
  let authority: CertificateAuthority;
  let lab: FleetLab;
  let fleet: FleetInstance[];

  const run = async (...args: readonly string[]) =>
    runCommand([...args, "-c", fleet[0]?.config ?? ""], { cwd: lab.folder });
  const status = async (): Promise<Status> => {
    const { code, stdout, stderr } = await run("status", "--json");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    return JSON.parse(stdout) as Status;
  };
  const untilWell = async (owners: readonly string[]): Promise<Status> => {
    let last = await status();
    const seen = (): string => [...new Set(last.symbols.map(({ owner }) => owner))].sort().join();
    try {
      await until(async () => {
        last = await status();
        return last.problems.length === 0 && seen() === owners.join();
      }, 60_000);
    } catch (cause) {
      throw new Error(`owners ${seen()}: ${last.problems.join("; ")}`, { cause });
    }
    return last;
  };

  beforeAll(async () => {
    authority = new CertificateAuthority();
    lab = await FleetLab.open({ symbols: SYMBOLS, coordination: PATIENT, authority });
    fleet = [lab.start("a"), lab.start("b"), lab.start("s", { standby: true })];
    await Promise.all(
      fleet.map(({ command }) => command.line(({ event }) => event === "instance.started", 60_000)),
    );
    lab.startMarket(seed);
  }, 180_000);
  afterAll(async () => {
    await lab.close();
    authority.remove();
  }, 60_000);

  it("shows its instances, seats and symbols, and that all is well", async () => {
    const shown = await untilWell(["a", "b"]);

    expect(shown.instances.map(({ id, role }) => `${id} ${role}`).sort()).toEqual([
      "a active",
      "b active",
      "s standby",
    ]);
    expect(shown.symbols).toHaveLength(SYMBOLS);
    // The first seat has everything until the second is up.
    expect(shown.symbols.every(({ epoch }) => epoch === 1 || epoch === 2)).toBe(true);
    expect(shown.instances.map(({ config }) => config)).toEqual([1, 1, 1]);
    const { stdout } = await run("status");
    expect(stdout).toContain("all is well");
  });

  it("moves a symbol to a seat and back again, and says where it is", async () => {
    const before = await status();
    const moved = before.symbols.find(({ owner }) => owner === "a")?.symbol ?? "";
    const seat = before.instances.find(({ id }) => id === "b")?.seat ?? 0;

    const end = await run("symbols", "move", moved, "--to", String(seat));

    expect(end).toMatchObject({ code: 0, stdout: `${moved} is at seat ${seat} (b)\n` });
    const after = await status();
    const others = (shown: Status) =>
      shown.symbols.filter(({ symbol }) => symbol !== moved).map(({ owner }) => owner);
    expect(after.symbols.find(({ symbol }) => symbol === moved)?.owner).toBe("b");
    expect(others(after)).toEqual(others(before));
    expect((await run("rebalance")).stdout).toContain("1 moves ended");
    await until(async () => (await status()).symbols.find(({ symbol }) => symbol === moved)?.owner === "a");
    await untilWell(["a", "b"]);
  });

  it("refuses a seat, a symbol and an instance that do not exist, with what there is", async () => {
    expect(await run("symbols", "move", "S1/USDT", "--to", "9")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there is no seat 9; the seats are 1 (") as string,
    });
    expect((await run("symbols", "move", "X/USDT", "--to", "1")).stderr).toContain(
      "X/USDT is not traded by this fleet",
    );
    expect((await run("drain", "nobody")).stderr).toMatch(/there is no instance "nobody"; running: a, b, s/);
  });

  it("drains an instance, which trades again once it is restarted", async () => {
    expect(await run("drain", "a")).toMatchObject({
      code: 0,
      stdout: "a is drained; stop it, or restart it to trade again\n",
    });
    const drained = await untilWell(["b"]);
    expect(drained.instances.find(({ id }) => id === "a")).toMatchObject({ role: "drained" });

    const [a] = fleet;
    a?.command.kill("SIGTERM");
    expect((await a?.command.ended)?.code).toBe(0);
    fleet = [lab.start("a"), ...fleet.slice(1)];

    await untilWell(["a", "b"]);
  });

  it("takes a changed config over while it runs: a symbol goes, its orders stay, the next version brings it back", async () => {
    const all = parse((await run("config", "get", "trading.symbols")).stdout) as readonly {
      readonly symbol: string;
    }[];
    expect(all).toHaveLength(SYMBOLS);

    const gone = await run("config", "set", "trading.symbols.S3/USDT", "--remove");
    expect(gone.stdout).toBe("version 2 is stored\n  trading.symbols: taken over at once\n");
    await until(async () => (await status()).symbols.every(({ symbol }) => symbol !== "S3/USDT"));
    const rule = await run("config", "set", "trading.symbols.S4/USDT.stop_loss", "50");
    expect(rule.stdout).toContain("version 3 is stored");
    await until(async () => (await status()).instances.every(({ config }) => config === 3));
    const file = join(lab.folder, "whole.yaml");
    writeFileSync(file, stringify({ trading: { reconcile_interval: 30, symbols: all } }));
    expect((await run("config", "set", "--from", file)).stdout).toContain("version 4 is stored");

    const back = await untilWell(["a", "b"]);
    expect(back.symbols).toHaveLength(SYMBOLS);
    await until(async () => (await status()).instances.every(({ config }) => config === 4));
    const { stdout } = await run("config", "history");
    expect(stdout.split("\n").filter((line) => /^\d+ .* trading\.symbols$/.test(line))).toHaveLength(3);
  });

  it("refuses a config that is not valid, re-lays a grid, or is not shared, and stores nothing of it", async () => {
    expect((await run("config", "set", "trading.symbols.S4/USDT.stop_loss", "abc")).stderr).toContain(
      "stop_loss",
    );
    expect((await run("config", "set", "trading.symbols.S4/USDT.price_interval", "7")).stderr).toContain(
      "S4/USDT: a grid is never re-laid while it has orders",
    );
    expect((await run("config", "set", "web.port", "1")).stderr).toContain("web.port is each instance's own");
    expect((await run("config", "set", "trading.reconcile_interval")).code).toBe(2);
    expect((await run("config", "history")).stdout.trim().split("\n")).toHaveLength(4);
  });

  it("says of a change that needs a restart who waits for it", async () => {
    const watching = startCommand(["config", "watch", "-c", fleet[0]?.config ?? ""], { cwd: lab.folder });
    await watching.says("4 ");
    expect((await run("config", "set", "trading.reconcile_interval", "20")).stdout).toContain(
      "trading.reconcile_interval: taken over when an instance is restarted",
    );

    await until(async () => (await status()).problems.length === 3);
    expect((await status()).problems[0]).toContain(
      "version 5 of the config needs a restart for trading.reconcile_interval",
    );
    const { stdout } = await watching.interrupt();
    expect(stdout).toMatch(/^4 .*\n5 .* trading\.reconcile_interval\n$/);
  });

  it("starts an instance with a stale config on what the fleet runs, and says so", async () => {
    const late = lab.start("late", { symbols: ["S0/USDT", "S1/USDT"] });
    fleet = [...fleet, late];

    const { warning } = await late.command.line(({ event }) => event === "config.warning", 60_000);
    expect(warning).toContain("trading.symbols: the fleet runs version 5 of its config, not this file's");
    await until(async () => (await status()).symbols.some(({ owner }) => owner === "late"), 60_000);
    expect((await status()).symbols).toHaveLength(SYMBOLS);
  });

  it("says of a killed instance that it does not answer, and for how long it is registered", async () => {
    const seat = (await status()).instances.find(({ id }) => id === "b")?.seat ?? 0;
    fleet.find(({ id }) => id === "b")?.command.kill("SIGKILL");

    const told = new RegExp(
      `^b: does not answer, its seat ${seat} is s's now; its registration ends in \\d+ s$`,
    );
    await until(async () => (await status()).problems.some((problem) => told.test(problem)));
    const shown = await status();
    expect(shown.instances.find(({ id }) => id === "b")).toMatchObject({ role: "silent", symbols: 0 });
    expect(shown.instances.find(({ id }) => id === "s")).toMatchObject({ role: "active", seat });

    const again = lab.start("b");
    fleet = fleet.map((one) => (one.id === "b" ? again : one));
    await until(async () => (await status()).instances.find(({ id }) => id === "b")?.role === "standby");
  });

  it("has lost no fill and placed nothing twice", async () => {
    await lab.settle(fleet);
    const verdict = await judgeFleet(lab);
    console.log(JSON.stringify(verdict));
    expect(verdict.accepted).toBeGreaterThan(SYMBOLS);
  });
});
