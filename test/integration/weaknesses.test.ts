/** The known weaknesses that show only where a bot really waits for its exchange; numbers as in the audit. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PortWrappers } from "../../src/cli/run-instance.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Config } from "../../src/config/schema.ts";
import { expectSound } from "../support/expect-sound.ts";
import { everyNth, override } from "../support/override.ts";
import { writeCandles } from "../support/replay-lab.ts";
import { replay } from "../support/replay-run.ts";

const CANDLES = 300;
const HELD_TURNS = 200;

describe("a window grid on a real database and a simulated exchange", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-weaknesses-"));
    writeCandles(folder, CANDLES, 11);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function configWith(priceInterval: number): Promise<Config> {
    const file = join(folder, "window.yaml");
    writeFileSync(
      file,
      `exchanges:
  sim:
    fee_rate: 0.0005
    balances: { USDT: 1000000 }
    journal: ${join(folder, "venue.journal")}
    symbols:
      BTC/USDT:
        tick_size: 0.01
        lot_size: 0.00001
        market: { type: replay, file: ${join(folder, "candles.csv")}, fill: touch }
trading:
  symbols:
    - { symbol: BTC/USDT, price_interval: ${priceInterval}, order_quantity: 100, buy_window_size: 8 }
database: { dsn: ${join(folder, "quantmesh.db")} }
web: { enabled: false }
`,
    );
    return loadConfig(file);
  }

  it("W-20: one answer that does not come holds up no other order", async () => {
    let held: "no" | "yes" | "over" = "no";
    const during: string[] = [];
    const wrappers: PortWrappers = {
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            const { id } = request.terms;
            if (held === "no") {
              held = "yes";
              // Everybody else has all the time.
              for (let turn = 0; turn < HELD_TURNS; turn++) await new Promise((done) => setImmediate(done));
              held = "over";
            } else if (held === "yes") {
              during.push(id);
            }
            return real.placeOrder(request);
          },
        }),
    };

    const end = await replay(await configWith(50), wrappers);

    expect(during.length).toBeGreaterThan(3);
    expect(expectSound(end).totals.trades).toBeGreaterThan(3);
  });

  it("W-27: after a gap the exchange's lists are read, and every fill of the gap is stored", async () => {
    let unheard = 0;
    let reads = 0;
    let gaps = 0;
    const wrappers: PortWrappers = {
      exchange: (real) =>
        override(real, {
          openOrders: async (symbol) => {
            reads += 1;
            return real.openOrders(symbol);
          },
          subscribe: (symbol, listen) => {
            let silent = 0;
            return real.subscribe(symbol, (hint) => {
              if (hint.kind === "tick") return listen(hint);
              if (hint.kind === "fill") unheard += 1;
              silent += 1;
              if (silent % 4 !== 0) return;
              gaps += 1;
              listen({ kind: "gap" });
            });
          },
        }),
    };

    const first = await replay(await configWith(50), wrappers);

    expect(unheard).toBeGreaterThan(10);
    expect(reads).toBeGreaterThanOrEqual(gaps);
    expect(first.bots[0]?.totals.trades).toBeGreaterThan(3);
    // What came after the last gap is found by the next start.
    const bot = expectSound(await replay(await configWith(50), wrappers));
    expect(bot.totals.fills).toBe(unheard);
  });

  it("W-28: an answer `duplicate` is looked up by its id: the order that rests is kept, none is sent twice", async () => {
    const isDuplicate = everyNth(2, 15);
    const asked = new Set<string>();
    const lookedUp = new Set<string>();
    const sent: string[] = [];
    const end = await replay(await configWith(50), {
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            sent.push(request.terms.id);
            const outcome = await real.placeOrder(request);
            if (outcome.kind !== "accepted" || !isDuplicate()) return outcome;
            asked.add(request.terms.id);
            return { kind: "duplicate" };
          },
          findOrder: async (symbol, id) => {
            lookedUp.add(id);
            return real.findOrder(symbol, id);
          },
        }),
    });

    expect(asked.size).toBe(15);
    for (const id of asked) expect(lookedUp).toContain(id);
    expect(new Set(sent).size).toBe(sent.length);
    expectSound(end);
  });

  it("W-41: another price_interval for a stored grid is refused before anything is sent or written", async () => {
    const end = await replay(await configWith(50));
    const sent: string[] = [];

    const changed = replay(await configWith(60), {
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            sent.push(request.terms.id);
            return real.placeOrder(request);
          },
        }),
    });

    await expect(changed).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(changed).rejects.toThrow(/"price_interval":"50"[^]*"price_interval":"60"/);
    expect(sent).toEqual([]);
    const { bots } = await replay(await configWith(50));
    expect(bots[0]?.totals).toEqual(end.bots[0]?.totals);
  });
});
