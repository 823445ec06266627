/** Fills the gaps of a series from an exchange, page by page, and remembers what the exchange has not got. */
import type { TextCandle } from "../../domain/candle.ts";
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError, policyFor } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import type { TimeSpan } from "../../domain/time-span.ts";
import { GapFinder, candlesIn } from "../../domain/time-span.ts";
import type { CandleFolder } from "./candle-store.ts";
import { lineOf } from "./month-file.ts";
import { MonthWriter } from "./month-writer.ts";
import { surveyOf } from "./survey.ts";

/** What candles are asked of. Reads throw EXCHANGE_UNAVAILABLE or RATE_LIMITED, and may be repeated. */
export interface CandleSource {
  readonly name: string;
  /** The most candles of one answer. */
  readonly candlesPerPage: number;
  /** The first candles that begin at or after `since`, at most `limit`, ascending; the last may not be over yet. */
  candles(
    symbol: string,
    timeframe: string,
    since: Instant,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly TextCandle[]>;
}

export interface DownloadOptions {
  readonly source: CandleSource;
  /** Prepared and locked. */
  readonly folder: CandleFolder;
  /** Whole candles, all of them over. */
  readonly span: TimeSpan;
  /** The exchange's time. */
  readonly now: Instant;
  /** Asks also for what the exchange is known not to have. */
  readonly askAgain: boolean;
  readonly clock: Clock;
  /** Ends it after the page that is under way. */
  readonly signal: AbortSignal;
  /** Called once with the number of candles that are missing. */
  readonly onBegin?: (candles: number) => void;
  /** Called after each page with how many of them it has settled. */
  readonly onProgress?: (candles: number) => void;
}

export interface DownloadEnd {
  /** Candles that were not stored before. */
  readonly added: number;
  readonly isInterrupted: boolean;
}

/** Exchanges publish a candle a moment late: an empty end counts as absent only when it is older. */
const LATE_MS = 3_600_000;
/** How long to wait before a page is asked for again, ms; after the last one the download fails. */
const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000];

/** Whatever ends it, what has arrived is stored. Throws EXCHANGE_UNAVAILABLE or RATE_LIMITED once all pauses are used up. */
export async function downloadCandles(options: DownloadOptions): Promise<DownloadEnd> {
  const { folder, span, clock, askAgain, signal } = options;
  const { gaps } = await surveyOf(folder, span);
  const wanted = gaps.filter(({ kind }) => askAgain || kind === "missing");
  options.onBegin?.(wanted.reduce((count, { candles }) => count + candles, 0));
  const writer = new MonthWriter(folder, await folder.absent(), wanted, () => clock.monotonic());
  let added = 0;
  try {
    for (const gap of wanted) {
      for (let at = gap.from; at < gap.to && !signal.aborted; ) {
        const page = await askConvinced(options, at);
        if (!page) break;
        const { lines, absent, reached } = readPage(options, page, { from: at, to: gap.to });
        added += await writer.add(lines);
        for (const hole of absent) writer.addAbsent(hole);
        await writer.saveInTime();
        options.onProgress?.(candlesIn([{ from: at, to: reached }], folder.series.timeframe.ms));
        at = reached;
      }
    }
  } finally {
    await writer.save();
  }
  return { added, isInterrupted: signal.aborted };
}

/** What an answer says of `span`: its candles, where there are none, and up to where it says anything. */
function readPage(
  { folder, source, now }: DownloadOptions,
  page: readonly TextCandle[],
  span: TimeSpan,
): {
  readonly lines: ReturnType<typeof lineOf>[];
  readonly absent: readonly TimeSpan[];
  readonly reached: number;
} {
  const { ms: stepMs, name } = folder.series.timeframe;
  const times = page.map(({ openTime }) => openTime).filter((at) => at >= span.from);
  const stray = times.find((at) => at % stepMs !== 0);
  if (stray !== undefined) {
    throw new QuantmeshError(
      "DATA_INVALID",
      `${source.name} has candles of ${name} that begin at ${new Date(stray).toISOString()}, which is no multiple of ` +
        `${name} from midnight UTC: download a shorter timeframe`,
    );
  }
  const last = times.at(-1);
  const room = source.candlesPerPage * stepMs;
  // No candle at all says nothing of what lies beyond one page: some exchanges look no further.
  const reached = Math.min(span.to, last === undefined ? span.from + room : last + stepMs);
  const finder = new GapFinder(span.from, stepMs);
  for (const at of times) if (at < span.to) finder.see(at);
  const holes = finder.end(reached);
  const isProven = ({ to }: TimeSpan): boolean => (last !== undefined && last >= to) || to <= now - LATE_MS;
  return {
    lines: page.filter(({ openTime }) => openTime >= span.from && openTime < span.to).map(lineOf),
    absent: holes.filter(isProven),
    reached,
  };
}

/** That there is nothing is remembered for ever, so it is believed only when it is said twice. */
async function askConvinced(
  options: DownloadOptions,
  at: number,
): Promise<readonly TextCandle[] | undefined> {
  const page = await askPatiently(options, at);
  return page?.some(({ openTime }) => openTime >= at) === false ? askPatiently(options, at) : page;
}

/** Undefined where it was told to stop while it waited. */
async function askPatiently(
  options: DownloadOptions,
  at: number,
): Promise<readonly TextCandle[] | undefined> {
  const { source, folder, clock, signal } = options;
  const { symbol, timeframe } = folder.series;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await source.candles(symbol, timeframe.name, at as Instant, source.candlesPerPage, signal);
    } catch (error) {
      const pauseMs = PAUSES_MS[attempt];
      if (signal.aborted) return undefined;
      if (policyFor(error) !== "backOff" || pauseMs === undefined) throw error;
      await pause(clock, pauseMs, signal);
      if (signal.aborted) return undefined;
    }
  }
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(ms, () => end());
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    signal.addEventListener("abort", end);
  });
}
