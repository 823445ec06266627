/** Two processes, a bot over ccxt and a venue: either is killed, at random moments and at each named point. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from "vitest";
import { createStorage } from "../../src/storage/create-storage.ts";
import { IS_FULL, freshSeed, scaled, seededRandom } from "../support/scale.ts";
import { readCheckedAudit } from "../support/venue-audit.ts";
import { differenceOf, drillConfig, expectSoundBooks, pause } from "../support/venue-drill.ts";
import type { DrillMarket } from "../support/venue-markets.ts";
import { drillMarket, startVenueOfMarkets } from "../support/venue-markets.ts";
import type { VenueProcess } from "../support/venue-process.ts";

const CHILD = resolve("test/support/crash-child.mjs");
const KILLS_OF_THE_BOT = 100;
const KILLS_OF_THE_VENUE = 30;
/** Before and after every port call of a bot that starts, trades and is lied to; each must be hit, but for RARE. */
const POINTS = [
  "exchange.instrument",
  "exchange.time",
  "exchange.price",
  "exchange.openOrders",
  "exchange.ordersSince",
  "exchange.findOrder",
  "exchange.fillsSince",
  "exchange.balances",
  "exchange.admit",
  "exchange.placeOrder",
  "exchange.cancelOrder",
  "storage.fleetId",
  "storage.findBot",
  "storage.claim",
  "storage.loadLedger",
  "storage.insertIntent",
  "storage.commit",
  "storage.unstoredFills",
  "storage.findOrderByExchangeId",
  "storage.saveFillCursor",
  "lock.tryAcquireEach",
  "lock.release",
].flatMap((call) => [`${call}:before`, `${call}:after`]);
/** Calls that one life has many of. */
const FREQUENT = /admit|placeOrder|insertIntent|commit|tryAcquire|exchange\.time/;
/** Only where an order has ended before a list shows its fill, which is a matter of milliseconds. */
const RARE = /findOrderByExchangeId/;
const MOST_MOVES = 400;
const SETTLE_LIMIT_MS = 60_000;
const LIMIT = 3_600_000;

const seed = freshSeed();
const random = seededRandom(seed);

describe(`a bot and a venue in two processes (seed ${seed})`, () => {
  let venue: VenueProcess;
  let next = 0;
  let market: DrillMarket;
  let folder: string;
  let bot: BotProcess;

  beforeAll(async () => {
    venue = await startVenueOfMarkets(5);
  });
  afterAll(async () => venue.server.stop());
  beforeEach(() => {
    market = drillMarket(next);
    next += 1;
    folder = mkdtempSync(join(tmpdir(), "quantmesh-two-"));
    const config = join(folder, "config.json");
    // A window, which cancels as it moves.
    writeFileSync(
      config,
      drillConfig(venue, market, join(folder, "bot.db"), () => 0.9),
    );
    bot = new BotProcess(config);
  });
  afterEach(async () => {
    await bot.kill();
    await venue.admin.faults([]);
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    "loses nothing when the bot is killed before and after each of its port calls",
    async () => {
      // Lost answers make it look orders up.
      await venue.admin.faults([
        { kind: "lost_answer", route: "POST /api/v3/order", probability: 0.2 },
        { kind: "missing_event", route: "stream user", probability: 0.3 },
      ]);
      const hits: string[] = [];
      // A quick run takes every other one, which half being up to the seed.
      const points = POINTS.filter((_, index) => IS_FULL || (index + seed) % 2 === 0);
      for (const point of points) {
        const times = FREQUENT.test(point) ? 1 + Math.floor(random() * 5) : 1;
        await bot.start(`${point}:${times}`);
        for (let move = 0; bot.isAlive && move < MOST_MOVES; move += 1) await moveOnce();
        if (!bot.isAlive) hits.push(`${point} ${times}`);
        else if (RARE.test(point)) await bot.kill();
        else throw new Error(`${point} was not reached ${times} times in ${MOST_MOVES} moves`);
      }
      await venue.admin.faults([]);
      await bot.start();
      await expectSound();
      console.log(`died at ${hits.length} of ${points.length} points (seed ${seed})`);
    },
    LIMIT,
  );

  it(
    `loses nothing when the bot is killed at ${scaled(KILLS_OF_THE_BOT)} random moments`,
    async () => {
      for (let kill = 0; kill < scaled(KILLS_OF_THE_BOT); kill += 1) {
        // Half of the kills strike while it starts.
        const starting = bot.start();
        if (random() < 0.5) {
          await pause(300 + random() * 1_200);
        } else {
          await starting;
          for (let moves = 1 + Math.floor(random() * 6); moves > 0 && bot.isAlive; moves -= 1)
            await moveOnce();
        }
        await bot.kill();
        await starting.catch(() => undefined);
      }
      await bot.start();
      await moveOnce();
      await expectSound();
    },
    LIMIT,
  );

  it(
    `loses nothing when the venue is killed at ${scaled(KILLS_OF_THE_VENUE)} random moments`,
    async () => {
      await bot.start();
      for (let kill = 0; kill < scaled(KILLS_OF_THE_VENUE); kill += 1) {
        for (let moves = 1 + Math.floor(random() * 4); moves > 0; moves -= 1) await moveOnce();
        await pause(random() * 60);
        await venue.server.crash();
        await pause(random() * 500);
        await venue.server.restart();
        await pause(random() * 800);
        if (!bot.isAlive) throw new Error(`the bot ended with the venue:\n${bot.said}`);
      }
      await moveOnce();
      await expectSound();
    },
    LIMIT,
  );

  /** Moves the market by hand, and lets the bot have a random part of the time that it needs. */
  async function moveOnce(): Promise<void> {
    const share = random() < 0.2 ? 0.5 : 1;
    await venue.admin.move(market.symbol, (92 + Math.floor(random() * 1_600) / 100).toFixed(2), share);
    await Promise.race([pause(random() * 150), bot.ended]);
  }

  /** Waits until the database has all that the venue has, then compares to the last digit. */
  async function expectSound(): Promise<void> {
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    const file = join(folder, "bot.db");
    for (;;) {
      await pause(200);
      const difference = await differenceNow();
      if (difference === "") break;
      if (performance.now() > deadline) throw new Error(`not settled: ${difference}\n${bot.said}`);
    }
    await bot.kill();
    await expectSoundBooks(file, venue, market);

    async function differenceNow(): Promise<string> {
      const storage = await createStorage({ type: "sqlite", file });
      try {
        const [summary] = await storage.listBots();
        if (!summary) return "no bot is stored";
        if (summary.mode !== "running") throw new Error(`the bot is ${summary.mode}: ${summary.modeReason}`);
        const { working } = await storage.loadLedger(summary.bot);
        const audit = readCheckedAudit(venue.journal, market.account);
        return differenceOf(
          audit.orders.filter(({ status }) => status === "open").map(({ id }) => String(id)),
          working.map(({ order: { kind, terms } }) => (kind === "open" ? terms.id : `${kind} ${terms.id}`)),
          audit.fills.length,
          summary.totals.fills,
        );
      } finally {
        await storage.close();
      }
    }
  }
});

/** A bot that is killed and started again on the same database. */
class BotProcess {
  /** What it said of itself since its last start. */
  said = "";
  ended: Promise<unknown> = Promise.resolve();
  readonly #config: string;
  #child: ChildProcess | undefined;

  constructor(config: string) {
    this.#config = config;
  }

  get isAlive(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Resolves when it trades, or is dead already; `crashAt` is the point at which it kills itself. */
  async start(crashAt?: string): Promise<void> {
    this.said = "";
    const child = spawn(process.execPath, [CHILD, this.#config], {
      env: { ...process.env, ...(crashAt === undefined ? {} : { CRASH_AT: crashAt }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.ended = once(child, "close");
    child.stderr.on("data", (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-4_000);
    });
    const started = once(child.stdout, "data");
    await Promise.race([started, this.ended]);
    if (!this.isAlive && child.signalCode !== "SIGKILL") {
      throw new Error(`the bot ended with ${child.exitCode}:\n${this.said}`);
    }
  }

  async kill(): Promise<void> {
    if (this.isAlive) this.#child?.kill("SIGKILL");
    await this.ended;
  }
}
