/** Klines of the time before the venue's own: from a file, as they are in it, with its gaps. */
import type { Money } from "../../domain/amounts.ts";
import { addMoney, money, parseMoney } from "../../domain/amounts.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import { indexFrom, readCandleBytes } from "../market/candles.ts";
import type { Candles } from "../market/candles.ts";
import { parseCandles } from "../market/parse-candles.ts";
import type { Interval } from "./klines.ts";
import { firstStart } from "./klines.ts";
import { STEP, moneyText } from "./listing.ts";

/** Prices in steps of 1e-8, in which Binance writes them. */
export interface KlineHistory {
  readonly candles: Candles;
  /** In base, by candle. */
  readonly volumes: readonly Money[];
}

/** Throws DATA_INVALID with the file and the line. */
export async function loadKlineHistory(file: string): Promise<KlineHistory> {
  const bytes = await readCandleBytes(file);
  const candles = parseCandles(bytes, file, money(STEP));
  const lines = Buffer.from(bytes).toString("latin1").trimEnd().split(/\r?\n/).slice(1);
  if (lines.length !== candles.length) throw new QuantmeshError("DATA_INVALID", `${file} has empty lines`);
  return { candles, volumes: lines.map((line) => parseMoney(line.slice(line.lastIndexOf(",") + 1))) };
}

/** The first `limit` klines that begin from `from` to `to`, none that are shorter than the file's candles; what such files do not have, values and counts of trades, is 0. */
export function pastKlineTexts(
  { candles, volumes }: KlineHistory,
  interval: Interval,
  from: number,
  to: number,
  limit: number,
): readonly string[] {
  const texts: string[] = [];
  const { timestamp, open, high, low, close, length } = candles;
  if (candles.intervalMs > interval.leastMs) return texts;
  const begin = firstStart(interval, from);
  for (let i = indexFrom(timestamp, begin); i < length && texts.length < limit; ) {
    const at = timestamp[i] as number;
    const openTime = interval.startOf(at);
    const next = interval.shift(openTime, 1);
    if (openTime > to) break;
    const first = open[i] as number;
    let [top, bottom, last, volume] = [0, Number.POSITIVE_INFINITY, 0, 0n as Money];
    for (; i < length && (timestamp[i] as number) < next; i += 1) {
      top = Math.max(top, high[i] as number);
      bottom = Math.min(bottom, low[i] as number);
      last = close[i] as number;
      volume = addMoney(volume, volumes[i] as Money);
    }
    const [o, h, l, c] = [first, top, bottom, last].map((units) => moneyText(money(BigInt(units) * STEP)));
    texts.push(
      `[${openTime},"${o}","${h}","${l}","${c}","${moneyText(volume)}",${next - 1},"0.00000000",0,"0.00000000","0.00000000","0"]`,
    );
  }
  return texts;
}
