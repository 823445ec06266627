/** A made-up history of minute candles as a file that a venue shows, and a config that reads it through ccxt. */
import { writeFileSync } from "node:fs";
import { seededRandom } from "./scale.ts";
import type { VenueProcess } from "./venue-process.ts";

export interface HistoryPlan {
  readonly from: number;
  readonly minutes: number;
  readonly seed: number;
  /** Minutes that are in no file, as after an outage of the exchange. */
  readonly isHole?: (minute: number) => boolean;
}

/** Writes the file with two decimals everywhere; returns its lines as the store writes them, without trailing zeros. */
export function writeHistory(file: string, { from, minutes, seed, isHole }: HistoryPlan): readonly string[] {
  const random = seededRandom(seed);
  const [written, expected]: [string[], string[]] = [[], []];
  let price = 2_650_000;
  for (let minute = 0; minute < minutes; minute++) {
    const open = price;
    price += Math.round((random() - 0.5) * 12_000 - (price - 2_650_000) / 60);
    const high = Math.max(open, price) + Math.round(random() * 2_000);
    const low = Math.min(open, price) - Math.round(random() * 2_000);
    const volume = Math.round(random() * 100_000);
    if (isHole?.(minute)) continue;
    const [at, cents] = [from + minute * 60_000, [open, high, low, price, volume]];
    written.push(`${at},${cents.map((value) => (value / 100).toFixed(2)).join(",")}`);
    expected.push(`${at},${cents.map((value) => String(value / 100)).join(",")}`);
  }
  writeFileSync(file, `timestamp,open,high,low,close,volume\n${written.join("\n")}\n`);
  return expected;
}

/** A market of a venue's config that nobody moves, with a history. */
export function pastMarket(history: string): object {
  return {
    tick_size: "0.01",
    lot_size: "0.00001",
    min_notional: "5",
    market: { type: "manual", start_price: "26500" },
    history,
  };
}

/** A config that trades `symbols` on the venue as if it were Binance. */
export function configOnVenue(
  { url, wsUrl }: Pick<VenueProcess, "url" | "wsUrl">,
  symbols: readonly string[],
): string {
  const grid = { lower: "25000", upper: "28000", grids: "30", order_quantity: "100" };
  return JSON.stringify({
    app: { current_exchange: "binance" },
    exchanges: { binance: { urls: { rest: url, ws: wsUrl } } },
    trading: { symbols: symbols.map((symbol) => ({ symbol, ...grid })) },
  });
}
