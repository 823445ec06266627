/** A database failure, or one fill heard by itself, loses none of the others that were read with it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { QuantmeshError } from "../../src/domain/errors.ts";
import type { MarketHint } from "../../src/exchange/exchange.ts";
import { override } from "../support/override.ts";
import { replay, replayConfig } from "../support/replay-run.ts";

// One long fall through 39 buys whose hints are lost: more fills than a page of the exchange's list repeats.
it.each(["the database fails", "one of them is heard"])(
  "misses no fill where %s while a list of them is stored",
  async (how) => {
    const folder = mkdtempSync(join(tmpdir(), "quantmesh-runner-"));
    const rows = Array.from({ length: 20 }, (_, i) => {
      const at = 1_700_000_000_000 + i * 60_000;
      return i === 0 ? `${at},29900,29900,20100,20100,1` : `${at},20100,20101,20099,20100,1`;
    });
    const candleFile = join(folder, "fall.csv");
    writeFileSync(candleFile, `timestamp,open,high,low,close,volume\n${rows.join("\n")}\n`);
    let say: (hint: MarketHint) => void = () => undefined;
    const unheard: MarketHint[] = [];
    let faults = 0;
    const grid = { symbol: "BTC/USDT", candleFile, lower: 20_000, upper: 30_000, grids: 40 };
    const { bots } = await replay(await replayConfig(folder, [grid]), {
      exchange: (real) =>
        override(real, {
          subscribe: (symbol, listen) => {
            say = listen;
            return real.subscribe(symbol, (hint) => {
              if (hint.kind === "fill" && hint.execution.liquidity === "maker") unheard.push(hint);
              else listen(hint);
            });
          },
        }),
      storage: (real) =>
        override(real, {
          unstoredFills: async (bot, executions) => {
            const unstored = await real.unstoredFills(bot, executions);
            const last = unheard.at(-1);
            if (how === "one of them is heard" && faults === 0 && unstored.length > 30 && last) {
              faults += 1;
              say(last);
            }
            return unstored;
          },
          commit: async (claim, of, records) => {
            if (
              how === "the database fails" &&
              faults === 0 &&
              records.filter(({ kind }) => kind === "fill").length > 30
            ) {
              faults += 1;
              throw new QuantmeshError("STORAGE_UNAVAILABLE", "the database is away");
            }
            return real.commit(claim, of, records);
          },
        }),
    });
    rmSync(folder, { recursive: true });
    expect(faults).toBe(1);
    expect(bots[0]?.exchangeFills.length).toBeGreaterThan(30);
    expect(bots[0]?.fills.length).toBe(bots[0]?.exchangeFills.length);
    expect(bots[0]?.unresolved).toBe(0);
  },
);
