/** Binance's lists, page after page, until they end. */
import type { Instant } from "../../domain/ids.ts";
import type { CcxtRecord } from "./ccxt-client.ts";
import type { Read } from "./dialect.ts";

/** The most that one page holds. */
const PAGE = 1_000;
/** The longest stretch that one question by time may cover, ms. */
const LONGEST_SPAN_MS = 24 * 3_600_000;

/** By time until the first order is found, stretch after stretch; from there by order id, which has no longest stretch. */
export async function listOrders(
  read: Read,
  symbol: string,
  since: Instant,
  now: Instant,
): Promise<readonly CcxtRecord[]> {
  let page: readonly CcxtRecord[] = [];
  for (let from: number = since; page.length === 0 && from <= now; from += LONGEST_SPAN_MS) {
    const until = from + LONGEST_SPAN_MS - 1;
    page = await read("orders", async (client) => client.fetchOrders(symbol, from, PAGE, { until }));
  }
  const all = [...page];
  while (page.length > 0) {
    const orderId = nextId(page);
    page = await read("orders", async (client) => client.fetchOrders(symbol, undefined, PAGE, { orderId }));
    all.push(...page);
    if (page.length < PAGE) break;
  }
  return all;
}

export async function listTrades(read: Read, symbol: string, fromId: string): Promise<readonly CcxtRecord[]> {
  const all: CcxtRecord[] = [];
  for (let from = fromId; ; ) {
    const page = await read("fills", async (client) =>
      client.fetchMyTrades(symbol, undefined, PAGE, { fromId: from }),
    );
    all.push(...page);
    if (page.length < PAGE) return all;
    from = nextId(page);
  }
}

/** One above the highest id of the page. */
function nextId(page: readonly CcxtRecord[]): string {
  const ids = page.map((record) => BigInt(String(record["id"])));
  return String(ids.reduce((most, id) => (id > most ? id : most), 0n) + 1n);
}

/** How much of a list is read again, because an exchange may show a trade later than a younger one. */
const OVERLAP = 50;

/** Where to read on after `trades` (ascending): some before their end, or where they began. */
export function cursorAfter(trades: readonly { readonly tradeId: string }[], cursor: string): string {
  return trades[Math.max(0, trades.length - OVERLAP)]?.tradeId ?? cursor;
}
