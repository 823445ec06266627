/** What a venue with a million resting orders of many accounts needs; the matching bench runs it in a process of its own. */
import type { BenchResult } from "./bench.ts";
import { collectGarbage } from "./bench.ts";
import { ACCOUNTS, INSTRUMENT, LIMIT, createBenchVenue, placeOn } from "./matching-flow.ts";

const ORDERS = 1_000_000;
const MB = 1_000_000;

/**
 * The growth that the orders cause, each with a client id as long as ours: of what is alive (heap and array buffers,
 * garbage collected), and of the resident set as it is right after the last order, with whatever garbage there is.
 */
export async function benchMatchingMemory(): Promise<readonly BenchResult[]> {
  const venue = createBenchVenue(() => undefined);
  collectGarbage();
  const before = process.memoryUsage();
  for (let order = 0; order < ORDERS; order += 1) {
    const isBuy = order % 2 === 0;
    const distance = 1 + ((order * 7919) % 20_000);
    // One flat string, as a parser makes it.
    const id = Buffer.from(order.toString(36).padStart(25, "0")).toString("latin1");
    const account = ACCOUNTS[order % ACCOUNTS.length] ?? "";
    const price = 3_000_000 + (isBuy ? -distance : distance);
    placeOn(venue, account, isBuy ? "buy" : "sell", LIMIT, price, 1 + (order % 100), id);
  }
  const resident = (process.memoryUsage().rss - before.rss) / MB;
  collectGarbage();
  const after = process.memoryUsage();
  const alive = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / MB;
  const resting = ACCOUNTS.reduce((sum, each) => sum + venue.openOrders(each, INSTRUMENT.symbol).length, 0);
  if (resting !== ORDERS) throw new Error(`${resting} orders rest, not ${ORDERS}`);
  return [
    { name: "matching: memory 1M orders", value: alive, unit: "MB", min: alive, max: alive },
    { name: "matching: resident 1M orders", value: resident, unit: "MB", min: resident, max: resident },
  ];
}
