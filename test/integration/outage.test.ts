/** A bot on a real PostgreSQL or MariaDB that dies, freezes, or comes back with an older copy: every fill once, no id twice. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { Config } from "../../src/config/schema.ts";
import { SpoolReplay } from "../../src/runner/spool-replay.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import { openSpool } from "../../src/storage/spool.ts";
import type { FillSpool, Storage } from "../../src/storage/storage.ts";
import { readRefusals } from "../../src/exchange/sim/read-audit.ts";
import { QuantmeshError } from "../../src/domain/errors.ts";
import { expectSound } from "../support/expect-sound.ts";
import { logInto } from "../support/kept-log.ts";
import { override } from "../support/override.ts";
import { replay, replayConfig } from "../support/replay-run.ts";
import { freshSeed, seededRandom } from "../support/scale.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { describeWithServers } from "../support/servers/private-server.ts";

const MINUTE_MS = 60_000;
const CANDLES = 100;
const SWEEP_MINUTES = 8;
/** For a server that is frozen; where a loaded machine exceeds it, that is an outage like any other. */
const FREEZE_LIMIT_MS = 1_500;
const seed = freshSeed();

const SERVERS = [
  // What is committed survives the death of the server's processes, not that of the machine.
  {
    program: "postgres",
    owner: "postgres",
    start: () => startPostgres({ settings: { synchronous_commit: "on" } }),
    refuseWrites: (isRefused: boolean) => [
      "set default_transaction_read_only = off",
      `alter system set default_transaction_read_only = ${isRefused ? "on" : "off"}`,
      "select pg_reload_conf()",
    ],
    ordinary: "create role ordinary login superuser password 'canary'",
  },
  {
    program: "mariadbd",
    owner: "mysql",
    start: () => startMariadb(),
    refuseWrites: (isRefused: boolean) => [`set global read_only = ${isRefused ? "on" : "off"}`],
    // The administrator's writes are never refused.
    ordinary: "grant all on `quantmesh\\_%`.* to ordinary@'%' identified by 'canary'",
  },
] as const;

for (const { program, owner, start, refuseWrites, ordinary } of SERVERS)
  describeWithServers([program], `a bot on a private ${program} (seed ${seed})`, () => {
    let server: DatabaseServer;
    let folder = "";
    let config: Config;
    let dsn = "";
    const opened: Storage[] = [];

    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "quantmesh-outage-"));
      const candleFile = writeSweeps();
      const grid = { symbol: "BTC/USDT", candleFile, lower: 26_000, upper: 28_000, grids: 30 };
      const whole = await replayConfig(folder, [grid]);
      config = { ...whole, database: { ...whole.database, dsn: ":memory:" } };
      dsn = await server.createDatabase();
    });
    afterEach(async () => {
      for (const storage of opened.splice(0)) await storage.close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Prices that go up and down through half of the grid all the time: every outage has fills. */
    function writeSweeps(): string {
      const random = seededRandom(seed);
      const lines = Array.from({ length: CANDLES }, (_, index) => {
        const at = (minute: number): number => {
          const phase = (minute % SWEEP_MINUTES) / SWEEP_MINUTES;
          return 26_500 + 1_000 * (phase < 0.5 ? 2 * phase : 2 - 2 * phase);
        };
        const [open, close] = [at(index), at(index + 1)];
        const prices = [open, Math.max(open, close) + random(), Math.min(open, close) - random(), close];
        return `${1_700_000_000_000 + index * MINUTE_MS},${prices.map((price) => price.toFixed(2)).join(",")},1`;
      });
      const file = join(folder, "candles.csv");
      writeFileSync(file, ["timestamp,open,high,low,close,volume", ...lines, ""].join("\n"));
      return file;
    }

    async function open(limitMs = 10_000): Promise<Storage> {
      const storage = await createStorage(parseDsn(dsn), { limitMs });
      opened.push(storage);
      return storage;
    }

    /** The storage, whose `nth` failing question whether it is there has the server come back before it fails. */
    function comingBack(real: Storage, nth: number, comeBack: () => Promise<void> | void): Storage {
      let failed = 0;
      const ask = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
        try {
          return await question();
        } catch (error) {
          failed += 1;
          if (failed % nth === 0) await comeBack();
          throw error;
        }
      };
      // With fills in the spool the first question is for their bot.
      return override(real, {
        ping: () => ask(() => real.ping()),
        findBot: (market) => ask(() => real.findBot(market)),
        deliverFills: (bot, fills) => ask(() => real.deliverFills(bot, fills)),
      });
    }

    function counted(real: FillSpool): { readonly spool: FillSpool; readonly kept: () => number } {
      let kept = 0;
      const spool = override(real, {
        add: (fills) => {
          const outcome = real.add(fills);
          if (outcome === "stored") kept += fills.length;
          return outcome;
        },
      });
      return { spool, kept: () => kept };
    }

    it.each([
      { signal: "SIGKILL", moments: [10, 30, 60] },
      { signal: "SIGSTOP", moments: [20] },
    ] as const)(
      "that gets $signal while fills flow, and is back later, counts every fill once",
      { timeout: 300_000 },
      async ({ signal, moments }) => {
        // The tables are made without that limit.
        const unhurried = await open();
        const real = signal === "SIGSTOP" ? await open(FREEZE_LIMIT_MS) : unhurried;
        let outages = 0;
        let dying: Promise<void> = Promise.resolve();
        const goAway = (): void => {
          outages += 1;
          if (signal === "SIGSTOP") server.signal(signal);
          else dying = server.crash();
        };
        const comeBack = signal === "SIGSTOP" ? () => server.signal("SIGCONT") : () => server.restart();
        // MariaDB must be some seconds old to die: the bot waits with it.
        const mortal = override(real, {
          insertIntent: (...args) => dying.then(() => real.insertIntent(...args)),
          commit: (...args) => dying.then(() => real.commit(...args)),
        });
        const storage = comingBack(mortal, 9, comeBack);
        let kept = (): number => 0;

        const end = await replay(
          config,
          {
            storage: () => storage,
            spool: (own) => {
              const counts = counted(own);
              kept = counts.kept;
              return counts.spool;
            },
          },
          ({ market }) => {
            for (const minutes of moments) market.clock.after(minutes * MINUTE_MS, goAway);
          },
          { books: real },
        );

        const { totals } = expectSound(end);
        expect(outages).toBe(moments.length);
        expect(kept()).toBeGreaterThan(0);
        expect(totals.trades).toBeGreaterThan(20);
        expect(end.log.filter(({ event }) => event === "bot.session_lost").length).toBeGreaterThanOrEqual(
          moments.length,
        );
      },
    );

    it("that takes no writes for a while waits for it with its session, and goes on by itself", {
      timeout: 300_000,
    }, async () => {
      await server.run([ordinary]);
      const login = { user: "ordinary", password: "canary" };
      const real = await createStorage(parseDsn(server.dsn(new URL(dsn).pathname.slice(1), login)));
      opened.push(real);
      let changing: Promise<void> = Promise.resolve();
      const change = (isRefused: boolean): Promise<void> => {
        changing = server.run(refuseWrites(isRefused));
        return changing;
      };
      const waiting = override(real, {
        insertIntent: (...args) => changing.then(() => real.insertIntent(...args)),
        commit: (...args) => changing.then(() => real.commit(...args)),
      });

      const end = await replay(
        config,
        { storage: () => comingBack(waiting, 9, () => change(false)) },
        ({ market }) => void market.clock.after(20 * MINUTE_MS, () => void change(true)),
        { books: real },
      );

      expectSound(end);
      const events = end.log.map(({ event }) => event);
      expect(events).toContain("storage.away");
      expect(events.filter((event) => event === "bot.session_lost")).toHaveLength(1);
      expect(events).not.toContain("bot.reopen_failed");
    });

    it.each([
      { how: "still lists them", forgets: false },
      { how: "lists them no more", forgets: true },
    ])(
      "whose market another instance takes over before its spool is replayed counts each fill once where the exchange $how",
      { timeout: 300_000 },
      async ({ forgets }) => {
        const spool = openSpool({ file: join(folder, "spool.db"), capacity: 1_000, now: () => 0 });
        const first = await cutOff(spool);
        const inSpool = new Set(spool.oldest(spool.depth).map(({ fill }) => fill.tradeId));
        expect(inSpool.size).toBeGreaterThan(2);
        const successor = await open();
        const replayed: Promise<void>[] = [];

        const end = await replay(
          config,
          {
            storage: () => successor,
            exchange: (real) =>
              forgets
                ? override(real, {
                    fillsSince: async (symbol, cursor) => {
                      const page = await real.fillsSince(symbol, cursor);
                      return { ...page, fills: page.fills.filter(({ tradeId }) => !inSpool.has(tradeId)) };
                    },
                  })
                : real,
          },
          ({ market }) => {
            market.clock.after(MINUTE_MS / 2, () => {
              replayed.push(new SpoolReplay({ storage: first, spool, log: logInto([]) }).run());
            });
          },
          { books: successor },
        );
        await Promise.all(replayed);

        expect(spool.depth).toBe(0);
        spool.close();
        expectSound(end);
      },
    );

    /** An instance that trades, loses its way to the database, keeps fills, and stops; returns its storage. */
    async function cutOff(spool: FillSpool): Promise<Storage> {
      const real = await open();
      let isCut = false;
      const storage = new Proxy(real, {
        get(target, name): unknown {
          const value: unknown = Reflect.get(target, name, target);
          if (typeof value !== "function") return value;
          return async (...args: unknown[]): Promise<unknown> => {
            if (isCut) throw new QuantmeshError("STORAGE_UNAVAILABLE", "no way to the database");
            return Reflect.apply(value, target, args) as unknown;
          };
        },
      });
      const stop = new AbortController();
      await replay(
        config,
        { storage: () => storage, spool: () => spool },
        ({ market }) => {
          market.clock.after(20 * MINUTE_MS, () => {
            isCut = true;
          });
          market.clock.after(30 * MINUTE_MS, () => stop.abort());
        },
        { books: real, signal: stop.signal },
      );
      return real;
    }

    it("that dies and takes a full spool's process with it loses no fill", { timeout: 300_000 }, async () => {
      const file = join(folder, "replay.yaml");
      const child = spawn(process.execPath, ["--import", "tsx", "test/support/outage-child.ts", file, dsn], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      const exited = once(child, "exit");
      const saying = createInterface(child.stdout)[Symbol.asyncIterator]();
      expect((await saying.next()).value).toBe("ready");
      await server.crash();
      child.stdin.write("go on\n");
      expect((await saying.next()).value).toBe("full");
      child.kill("SIGKILL");
      expect(await exited).toEqual([null, "SIGKILL"]);
      await server.restart();
      const spoolFile = join(folder, "quantmesh.db.spool");
      const left = openSpool({ file: spoolFile, capacity: 1_000, now: () => 0 });
      expect(left.depth).toBe(4);
      left.close();
      const real = await open();
      const database = { ...config.database, spool_file: spoolFile };

      const end = await replay({ ...config, database }, { storage: () => real }, () => undefined, {
        books: real,
      });

      expectSound(end);
      expect(end.log).toContainEqual({ event: "spool.replayed", fields: { symbol: "BTC/USDT", fills: 4 } });
    });

    it("that is put back to a copy taken 100 orders earlier uses no id twice and counts every fill once", {
      timeout: 300_000,
    }, async () => {
      const real = await open();
      const copy = join(folder, "copy");
      const data = join(server.folder, "data");
      let intents = 0;
      let copiedAt = 0;
      let putBackAt = 0;
      const takeCopy = async (): Promise<void> => {
        copiedAt = intents;
        await server.crash();
        cpSync(data, copy, { recursive: true, preserveTimestamps: true });
        await server.restart();
      };
      const putBack = async (): Promise<void> => {
        putBackAt = intents;
        await server.crash();
        rmSync(data, { recursive: true });
        cpSync(copy, data, { recursive: true, preserveTimestamps: true });
        if (process.getuid?.() === 0) execFileSync("chown", ["-R", owner, data]);
        await server.restart();
      };
      const storage = override(real, {
        insertIntent: async (claim, bot, intent) => {
          intents += 1;
          if (copiedAt === 0 && intents > 40) await takeCopy();
          else if (copiedAt > 0 && putBackAt === 0 && intents > copiedAt + 100) await putBack();
          return real.insertIntent(claim, bot, intent);
        },
      });
      const half = new AbortController();

      await replay(
        config,
        { storage: () => storage },
        ({ market }) => {
          market.clock.after(90 * MINUTE_MS, () => half.abort());
        },
        { books: real, signal: half.signal },
      );
      // What was learnt from the exchange must be stored: a new start knows it, too.
      const end = await replay(config, { storage: () => real }, () => undefined, { books: real });

      expect(putBackAt).toBeGreaterThan(copiedAt + 99);
      expectSound(end);
      expect(
        readRefusals(config.exchanges.sim.journal).filter(({ reason }) => reason === "duplicate"),
      ).toEqual([]);
    });
  });
