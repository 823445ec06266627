/** Whether a stored grid is still the one that the config asks for. */
import { formatMoney } from "../domain/amounts.ts";
import type { Bot } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import type { GridSettings } from "./settings.ts";
import { canonicalSettings } from "./settings.ts";

export const KEEP_STORED_GRID =
  "A grid with orders and inventory is never re-laid silently: " +
  "put the old settings back, or give the new grid a database of its own.";

/** What differs, both sides shown; undefined where nothing does. */
export function differenceFromStored(
  stored: Bot,
  settings: GridSettings,
  instrument: Instrument,
): string | undefined {
  const { symbol } = stored.market;
  const wanted = canonicalSettings(settings);
  if (stored.settings !== wanted) {
    return `the stored grid of ${symbol} differs from the config\n  stored: ${stored.settings}\n  config: ${wanted}`;
  }
  const [storedSizes, sizes] = [sizesOf(stored.instrument), sizesOf(instrument)];
  if (storedSizes === sizes) return undefined;
  return `the instrument of the stored grid of ${symbol} differs\n  stored: ${storedSizes}\n  exchange: ${sizes}`;
}

function sizesOf({ tickSize, lotSize }: Instrument): string {
  return `tick ${formatMoney(tickSize)}, lot ${formatMoney(lotSize)}`;
}
