/** The `trading` section: one grid per symbol, and what holds for all of them. */
import { z } from "zod";
import { section, text, wholeNumber } from "./fields.ts";
import { gridSchema, inheritable } from "./grid-schema.ts";
import { isMapping } from "./path.ts";

const FOR_ALL = "Default of all symbols:";
const FOR_WINDOWS = "Default of all windows:";

/** Defaults are copied into the symbols before (completeTrading); here they are checked where they stand. */
export const tradingSchema = section({
  reconcile_interval: wholeNumber(1, 86_400)
    .default(60)
    .describe("Seconds between two comparisons with the exchange's own lists of orders and fills."),
  symbols: z.array(gridSchema).min(1, "needs at least one symbol").describe("One grid per symbol."),
  symbol: text()
    .optional()
    .describe("Short form for a single window: its symbol, with the keys below instead of symbols."),
  order_quantity: inherited("order_quantity", FOR_ALL),
  order_cleanup_threshold: inherited("order_cleanup_threshold", FOR_ALL),
  margin_lock_duration_seconds: inherited("margin_lock_duration_seconds", FOR_ALL),
  price_interval: inherited("price_interval", FOR_WINDOWS),
  buy_window_size: inherited("buy_window_size", FOR_WINDOWS),
  sell_window_size: inherited("sell_window_size", FOR_WINDOWS),
  min_order_value: inherited("min_order_value", FOR_WINDOWS),
})
  .refine((trading) => trading.symbol === undefined, {
    path: ["symbol"],
    error: "give either symbol, for a single window, or symbols",
    when: ({ value }) => isMapping(value),
  })
  .transform(({ reconcile_interval, symbols }) => ({ reconcile_interval, symbols }));

/** `field` as a default: optional here, and without the default that it has in the symbol. */
function inherited(name: keyof typeof inheritable, whose: string) {
  const field = inheritable[name];
  const inner = field instanceof z.ZodDefault ? field.unwrap() : field;
  return inner.optional().describe(`${whose} ${lowerFirst(field.description ?? "")}`);
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
