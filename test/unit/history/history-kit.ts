/** A listed history to download from, a clock whose waits are over at once, and the store as one text. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TextCandle } from "../../../src/domain/candle.ts";
import type { Clock } from "../../../src/domain/clock.ts";
import { instant } from "../../../src/domain/ids.ts";
import { CandleFolder } from "../../../src/backtest/history/candle-store.ts";
import type { CandleSource } from "../../../src/backtest/history/download.ts";
import { parseTimeframe } from "../../../src/backtest/history/timeframe.ts";

export const MINUTE = 60_000;

export function inFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-history-"));
  return use(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

export function candleFolder(dataFolder: string, timeframe = "1m", symbol = "BTC/USDT"): CandleFolder {
  return new CandleFolder(dataFolder, { exchange: "binance", symbol, timeframe: parseTimeframe(timeframe) });
}

/** A candle whose prices follow from its time. */
export function candleAt(at: number): TextCandle {
  const price = 20_000 + ((at / MINUTE) % 997);
  return {
    openTime: instant(at),
    open: `${price}.5`,
    high: `${price + 1}.25`,
    low: `${price}`,
    close: `${price}.75`,
    volume: "1.00001",
  };
}

export interface ListedSource extends CandleSource {
  /** Since when each page was asked for. */
  readonly asked: readonly number[];
}

/** Gives the candles of `times`, which ascend; `before` is called ahead of each answer, and may throw. */
export function sourceOf(
  times: readonly number[],
  candlesPerPage: number,
  before: (page: number) => void = () => undefined,
): ListedSource {
  const asked: number[] = [];
  return {
    name: "binance",
    candlesPerPage,
    asked,
    async candles(_symbol, _timeframe, since, limit) {
      asked.push(since);
      before(asked.length);
      return times
        .filter((at) => at >= since)
        .slice(0, limit)
        .map(candleAt);
    },
  };
}

/** Each wait moves it on by what was waited for. */
export class HastyClock implements Clock {
  readonly waits: number[] = [];
  #now = 0;

  now() {
    return instant(this.#now);
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = setImmediate(() => {
      this.waits.push(delayMs);
      this.#now += delayMs;
      run();
    });
    return () => clearImmediate(timer);
  }
}

/** Every line of the store, by month, and what is known to be absent. */
export async function contentOf(folder: CandleFolder): Promise<object> {
  const months = await folder.months();
  const lines = await Promise.all(months.map(async (month) => [month, await folder.read(month)] as const));
  return { months: Object.fromEntries(lines), absent: await folder.absent() };
}
