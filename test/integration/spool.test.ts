/** What a bot keeps on the local disk while its database is away is counted afterwards, once, and shown meanwhile. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunningInstance } from "../../src/cli/run-instance.ts";
import type { Config } from "../../src/config/schema.ts";
import { QuantmeshError } from "../../src/domain/errors.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { openSpool } from "../../src/storage/spool.ts";
import type { FillSpool, Storage } from "../../src/storage/storage.ts";
import { expectSound } from "../support/expect-sound.ts";
import { override } from "../support/override.ts";
import { writeCandles } from "../support/replay-lab.ts";
import type { Replay } from "../support/replay-run.ts";
import { replay, replayConfig } from "../support/replay-run.ts";

const MINUTE_MS = 60_000;
let folder: string;
let config: Config;
let books: Storage;
let spool: FillSpool;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-spool-"));
  const candleFile = writeCandles(folder, 200, 7);
  const grid = { symbol: "BTC/USDT", candleFile, lower: 26_000, upper: 28_000, grids: 30 };
  const whole = await replayConfig(folder, [grid]);
  config = { ...whole, database: { ...whole.database, dsn: ":memory:" }, web: { ...whole.web, port: 0 } };
  books = await createStorage({ type: "sqlite", file: join(folder, "books.db") });
  spool = openSpool({ file: join(folder, "spool.db"), capacity: 1_000, now: () => Date.now() });
});
afterEach(async () => {
  spool.close();
  await books.close();
  rmSync(folder, { recursive: true });
});

it("counts what the spool kept where the exchange lists it no more", async () => {
  await runCutOff(40, 120);
  const kept = new Set(spool.oldest(spool.depth).map(({ fill }) => fill.tradeId));
  expect(kept.size).toBeGreaterThan(3);
  let forgotten = 0;

  const end = await replay(
    config,
    {
      storage: () => books,
      spool: () => spool,
      exchange: (real) =>
        override(real, {
          fillsSince: async (symbol, cursor) => {
            const page = await real.fillsSince(symbol, cursor);
            const fills = page.fills.filter(({ tradeId }) => !kept.has(tradeId));
            forgotten += page.fills.length - fills.length;
            return { ...page, fills };
          },
        }),
    },
    () => undefined,
    { books },
  );

  expect(forgotten).toBeGreaterThan(0);
  expectSound(end);
  expect(spool.depth).toBe(0);
});

it("counts what the spool kept of orders that neither the database nor the exchange remembers", async () => {
  await runCutOff(40, 120);
  const kept = new Set(spool.oldest(spool.depth).map(({ fill }) => fill.tradeId));
  const forgotten = forgetOrders(spool.oldest(spool.depth).map(({ fill }) => fill.id));
  expect(forgotten.size).toBeGreaterThan(3);
  const isRemembered = ({ id }: { readonly id?: string | undefined }): boolean =>
    id === undefined || !forgotten.has(id);

  const end = await replay(
    config,
    {
      storage: () => books,
      spool: () => spool,
      exchange: (real) =>
        override(real, {
          openOrders: async (symbol) => (await real.openOrders(symbol)).filter(isRemembered),
          ordersSince: async (symbol, since) => (await real.ordersSince(symbol, since)).filter(isRemembered),
          findOrder: async (symbol, id) => (forgotten.has(id) ? undefined : real.findOrder(symbol, id)),
          fillsSince: async (symbol, cursor) => {
            const page = await real.fillsSince(symbol, cursor);
            return { ...page, fills: page.fills.filter(({ tradeId }) => !kept.has(tradeId)) };
          },
        }),
    },
    () => undefined,
    { books },
  );

  expectSound(end);
  expect(spool.depth).toBe(0);
  const told = end.log.filter(({ event }) => event === "fill.order_forgotten");
  expect(new Set(told.map(({ fields }) => fields["id"]))).toEqual(forgotten);
});

it("neither sends nor stores anything while the database is away, and shows what waits", async () => {
  const sent: number[] = [];
  let from = Number.POSITIVE_INFINITY;
  let page = "";
  const end = await runCutOff(
    40,
    120,
    async (running) => {
      from = running.market.clock.now();
      page = running.url === undefined ? "" : await (await fetch(`${running.url}/metrics`)).text();
    },
    (at) => sent.push(at),
  );

  expect(sent.length).toBeGreaterThan(20);
  expect(sent.filter((at) => at > 1_700_000_000_000 + 40 * MINUTE_MS)).toEqual([]);
  expect(from).toBeGreaterThan(1_700_000_000_000 + 100 * MINUTE_MS);
  // The market goes on while the page is read.
  const shown = Number(/^quantmesh_spool_depth (\d+)$/m.exec(page)?.[1]);
  expect(shown).toBeGreaterThan(0);
  expect(shown).toBeLessThanOrEqual(spool.depth);
  expect(page).toMatch(/^quantmesh_spool_age_seconds [0-9.e-]*[1-9]/m);
  expect(end.log.filter(({ event }) => event === "storage.away")).toHaveLength(1);
  expect(end.log.filter(({ event }) => event === "fill.spooled")).toHaveLength(spool.depth);
});

it("does not call a bot trading whose database went away while it started", async () => {
  let isFirst = true;
  const end = await replay(
    config,
    {
      storage: () =>
        override(books, {
          deliveredFills: async (bot) => {
            if (!isFirst) return books.deliveredFills(bot);
            isFirst = false;
            throw new QuantmeshError("STORAGE_UNAVAILABLE", "no way to the database");
          },
        }),
      spool: () => spool,
    },
    () => undefined,
    { books },
  );

  expectSound(end);
  const told = end.log.filter(({ event }) => event === "storage.away" || event === "bot.trading");
  expect(told.map(({ event }) => event)).toEqual(["storage.away", "bot.trading"]);
});

/** A run whose database is away from one minute on; it ends at another. */
async function runCutOff(
  awayAt: number,
  endAt: number,
  look: (running: RunningInstance) => Promise<void> = async () => undefined,
  onSend: (at: number) => void = () => undefined,
): Promise<Replay> {
  let isAway = false;
  const storage = new Proxy(books, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]): Promise<unknown> => {
        if (isAway) throw new QuantmeshError("STORAGE_UNAVAILABLE", "no way to the database");
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  const stop = new AbortController();
  let looked = Promise.resolve();
  const end = await replay(
    { ...config, web: { ...config.web, enabled: true } },
    {
      storage: () => storage,
      spool: () => spool,
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            onSend(request.validUntil - real.requestWindowMs);
            return real.placeOrder(request);
          },
        }),
    },
    (running) => {
      running.market.clock.after(awayAt * MINUTE_MS, () => {
        isAway = true;
      });
      running.market.clock.after(endAt * MINUTE_MS, () => {
        looked = look(running).finally(() => stop.abort());
      });
    },
    { books, signal: stop.signal },
  );
  await looked;
  return end;
}

/** Takes these orders out of the database, as an older copy of it would not have them; those that it had. */
function forgetOrders(ids: readonly string[]): ReadonlySet<string> {
  const database = new Database(join(folder, "books.db"));
  try {
    const forget = database.prepare(
      "delete from orders where client_order_id = ? and client_order_id not in (select client_order_id from fills)",
    );
    return new Set(ids.filter((id) => forget.run(id).changes === 1));
  } finally {
    database.close();
  }
}
