/** A running instance and the versions of its fleet's config that come meanwhile. */
import { describe, expect, it } from "vitest";
import type { RunConfig } from "../../../src/cli/fleet-config.ts";
import type { ConfigReload, RunningBots } from "../../../src/cli/follow-config.ts";
import { followConfig } from "../../../src/cli/follow-config.ts";
import { parseConfig } from "../../../src/config/load-config.ts";
import type { Config } from "../../../src/config/schema.ts";
import type { CentreState, ConfigVersion } from "../../../src/coordination/config-centre.ts";
import type { RollOut } from "../../../src/coordination/roll-out.ts";
import { canaryOf } from "../../../src/coordination/roll-out.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import type { BotCondition } from "../../../src/runner/bot-condition.ts";
import type { BotSetup } from "../../../src/runner/open-bot.ts";
import { DEFAULT_RULES } from "../../../src/strategy/settings.ts";
import { logInto } from "../../support/kept-log.ts";

const SYMBOLS = ["A/USDT", "B/USDT", "C/USDT", "D/USDT"];

type Rules = Readonly<Record<string, string>>;

function versionOf(
  version: number,
  rules: Readonly<Record<string, Rules>>,
  trading: Rules = {},
): ConfigVersion {
  const symbols = Object.entries(rules).map(([symbol, own]) => ({
    symbol,
    price_interval: "1",
    order_quantity: "30",
    buy_window_size: "3",
    ...own,
  }));
  return { version, at: version, by: "ann", shared: { trading: { ...trading, symbols } } };
}

const all = (rules: Rules): Readonly<Record<string, Rules>> =>
  Object.fromEntries(SYMBOLS.map((symbol) => [symbol, rules]));

function canaryAt(version: number, percent: number): RollOut {
  return {
    version,
    base: version - 1,
    percent,
    windowMs: 1000,
    maxErrors: 0,
    maxHalted: 0,
    isAutomatic: true,
    stoppedBefore: [],
    by: "ann",
    at: 1,
    state: { kind: "canary" },
  };
}

function configOf({ version, shared }: ConfigVersion): Config {
  const own = {
    app: { current_exchange: "binance" },
    exchanges: {
      sim: { balances: {}, symbols: {} },
      binance: { mode: "live", api_key: "k", secret_key: "s" },
    },
    database: { type: "postgres", dsn: "postgres://u:p@h/d" },
    distributed_lock: { type: "database" },
    coordination: { mode: "dynamic", etcd: { hosts: ["http://127.0.0.1:1"] }, secret: "sixteen letters.." },
  };
  return parseConfig(JSON.stringify({ ...own, ...shared }), `v${version}`).config;
}

/** An instance that follows what `tell` says, and what it has done. */
function lab(first: ConfigVersion) {
  const said: string[] = [];
  const asked: string[] = [];
  const conditions = new Map<string, BotCondition>();
  const errors = new Map<string, number>();
  let end: (error: unknown) => void = () => undefined;
  let given: () => void = () => undefined;
  let leaving = Promise.resolve();
  let listen: (state: CentreState) => Promise<void> = async () => undefined;
  let refuse: ((symbol: string) => void) | undefined;
  const config = configOf(first);
  const loaded: RunConfig = { config, warnings: [], version: first, withVersion: configOf };
  const setupOf = (symbol: string): BotSetup => ({
    market: { exchange: "binance", account: "main", symbol },
    settings: {
      lattice: "window",
      priceInterval: "1",
      orderQuantity: "30",
      minOrderValue: "5",
      anchorPrice: undefined,
    },
    rules: DEFAULT_RULES,
  });
  const running: RunningBots = {
    setups: config.trading.symbols.map(({ symbol }) => setupOf(symbol)),
    configure: (setups) => said.push(`configure ${setups.length}`),
    restart: (symbol) => said.push(`restart ${symbol}`),
    reassign: () => undefined,
    whenGiven: () => leaving,
    condition: (symbol) => conditions.get(symbol) ?? { kind: "trading" },
    announce: () => undefined,
    followed: (_, expected) => said.push(`expects ${expected.join(" ")}`.trim()),
  };
  const reload = followConfig(
    config,
    {
      log: logInto([]),
      loaded,
      errorsOf: (symbol) => errors.get(symbol) ?? 0,
      setupsOf: async (_, only) => {
        asked.push(...only);
        for (const symbol of only) refuse?.(symbol);
        return [...only].map(setupOf);
      },
    },
    {
      follow: (heard) => {
        listen = heard;
        return new Promise((_, reject) => {
          end = reject;
        });
      },
    },
    running,
  ) as ConfigReload;
  const versions = [first];
  return {
    reload,
    said,
    asked,
    end: (error: unknown) => end(error),
    conditions,
    errors,
    /** Stores what is `next`, and lets it be looked at. */
    tell: async (next: readonly ConfigVersion[], rollOut?: RollOut): Promise<void> => {
      versions.push(...next);
      await listen({ versions, rollOut, rollOutRevision: versions.length });
    },
    /** Bots that are given up from now on stop when the result is called. */
    holdBots: (): (() => void) => {
      leaving = new Promise((resolve) => {
        given = resolve;
      });
      return () => given();
    },
    refuse: (how: ((symbol: string) => void) | undefined): void => {
      refuse = how;
    },
  };
}

describe("a version for all bots", () => {
  it("starts those anew whose rules it changes, by a default too, asks the exchange for them alone, and for none to go back", async () => {
    const { reload, said, asked, tell } = lab(versionOf(1, all({})));

    await tell([versionOf(2, { ...all({}), "B/USDT": { stop_loss: "50" } })]);
    expect(said).toEqual(["configure 4", "restart B/USDT", "expects"]);
    expect(asked).toEqual(["B/USDT"]);
    await tell([versionOf(3, all({}), { margin_lock_duration_seconds: "7" })]);
    expect(said.filter((line) => line.startsWith("restart"))).toHaveLength(5);
    asked.length = 0;

    await tell([versionOf(4, all({}))]);

    expect(asked).toEqual([]);
    expect(reload).toMatchObject({ version: 4, pending: undefined });
  });

  it("runs here only once no bot acts under an older one any more", async () => {
    const { reload, tell, holdBots } = lab(versionOf(1, all({})));
    const give = holdBots();

    await tell([versionOf(2, all({ stop_loss: "50" }))]);
    expect(reload.version).toBe(1);
    give();
    await Promise.resolve();
    await Promise.resolve();

    expect(reload.version).toBe(2);
  });

  it("waits where it needs a restart, cannot run, or the exchange cannot be asked, and says why", async () => {
    const { reload, said, tell, refuse } = lab(versionOf(1, all({})));
    await tell([versionOf(2, all({}), { reconcile_interval: "7" })]);
    expect(reload).toMatchObject({
      version: 1,
      pending: expect.stringContaining("needs a restart for trading.reconcile_interval") as string,
    });
    said.length = 0;

    refuse((symbol) => {
      throw new QuantmeshError("CONFIG_INVALID", `${symbol} is wrong`);
    });
    await tell([versionOf(3, all({ stop_loss: "50" }))]);
    expect(reload.pending).toContain("A/USDT is wrong");
    expect(said).toEqual(["expects"]);
    refuse(() => {
      throw new QuantmeshError("EXCHANGE_UNAVAILABLE", "no answer");
    });
    await expect(tell([versionOf(4, all({ stop_loss: "60" }))])).rejects.toThrow("no answer");
    refuse(undefined);

    await tell([]);

    expect(reload).toMatchObject({ version: 4, pending: undefined });
  });
});

it("says that it follows no more where that has ended by a bug", async () => {
  const { reload, end } = lab(versionOf(1, all({})));

  end(new TypeError("a bug"));
  await reload.ready;

  expect(reload.pending).toBe("the config is followed no more until a restart: a bug");
});

describe("a version for some bots first", () => {
  const [canary = ""] = canaryOf(SYMBOLS, 2, 25);
  const next = versionOf(2, all({ stop_loss: "50" }));

  it("touches these alone, and reports how they fare since then, whoever stood still before", async () => {
    const { reload, said, asked, conditions, errors, tell } = lab(versionOf(1, all({})));
    errors.set(canary, 5);

    await tell([next], canaryAt(2, 25));

    expect(said).toEqual(["configure 4", `restart ${canary}`, `expects ${canary}`]);
    expect(asked).toEqual([canary]);
    expect(reload.version).toBe(1);
    expect(reload.canary()).toEqual({
      kind: "running",
      version: 2,
      trading: [canary],
      stopped: [],
      errors: 0,
    });
    errors.set(canary, 7);
    conditions.set(canary, { kind: "stopped", why: "closed" });
    expect(reload.canary()).toMatchObject({
      trading: [],
      stopped: [{ symbol: canary, why: "closed" }],
      errors: 2,
    });

    await tell([versionOf(3, all({}))], {
      ...canaryAt(2, 25),
      state: { kind: "rolledBack", as: 3, by: "a", reason: "x" },
    });

    expect(said.slice(3)).toEqual(["configure 4", `restart ${canary}`, "expects"]);
    expect(reload.canary()).toBeUndefined();
    expect(reload.version).toBe(3);
  });

  it("says nothing against it that bots stand still which did before", async () => {
    const { reload, conditions, tell } = lab(versionOf(1, all({})));
    const [one = "", two = ""] = canaryOf(SYMBOLS, 2, 50);
    conditions.set(one, { kind: "stopped", why: "halted" });

    await tell([next], { ...canaryAt(2, 50), stoppedBefore: [two] });
    // It was another instance's until now.
    conditions.set(two, { kind: "stopped", why: "closed" });

    expect(reload.canary()).toMatchObject({ trading: [one, two], stopped: [] });
  });

  it("goes to the others when it is whole, and touches its own bots no second time", async () => {
    const { reload, said, tell } = lab(versionOf(1, all({})));
    await tell([next], canaryAt(2, 25));
    said.length = 0;

    await tell([], { ...canaryAt(2, 25), state: { kind: "whole", by: "a" } });

    expect(said.filter((line) => line.startsWith("restart")).sort()).toEqual(
      SYMBOLS.filter((symbol) => symbol !== canary).map((symbol) => `restart ${symbol}`),
    );
    expect(reload.version).toBe(2);
  });

  it("touches nobody where it cannot run here, and is reported as refused", async () => {
    const { reload, said, tell, refuse } = lab(versionOf(1, all({})));
    refuse((symbol) => {
      throw new QuantmeshError("CONFIG_INVALID", `${symbol} is wrong`);
    });

    await tell([next], canaryAt(2, 25));

    expect(said.filter((line) => line.startsWith("restart"))).toEqual([]);
    expect(reload.canary()).toEqual({ kind: "refused", version: 2, reason: `${canary} is wrong` });
    expect(reload.version).toBe(1);
  });

  it("brings and takes away symbols of its share only", async () => {
    const { said, tell } = lab(versionOf(1, all({})));

    await tell([versionOf(2, { "E/USDT": {}, "F/USDT": {} })], canaryAt(2, 50));

    const touched = canaryOf([...SYMBOLS, "E/USDT", "F/USDT"], 2, 50);
    const brought = touched.filter((symbol) => !SYMBOLS.includes(symbol));
    expect(touched).toHaveLength(3);
    expect(said).toEqual([
      `configure ${SYMBOLS.length - (touched.length - brought.length) + brought.length}`,
      `expects ${brought.join(" ")}`.trim(),
    ]);
  });
});
