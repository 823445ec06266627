/** What the adapter adds to ccxt's own createOrder: both on one venue, which runs beside them in a thread of its own. */
import { once } from "node:events";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { parseMoney } from "../src/domain/amounts.ts";
import type { PriceTicks, QuantityLots } from "../src/domain/amounts.ts";
import { botCode } from "../src/domain/ids.ts";
import type { Generation, Instant, SlotNumber } from "../src/domain/ids.ts";
import { createInstrument } from "../src/domain/instrument.ts";
import type { Log } from "../src/domain/log.ts";
import type { Metrics } from "../src/domain/metrics.ts";
import type { OrderTerms } from "../src/domain/order.ts";
import { Secret } from "../src/domain/secret.ts";
import type { CcxtExchange } from "../src/exchange/ccxt/ccxt-exchange.ts";
import { loadCcxt } from "../src/exchange/ccxt/load-ccxt.ts";
import type { CcxtClient } from "../src/exchange/ccxt/ccxt-client.ts";
import { BINANCE } from "../src/exchange/ccxt/binance.ts";
import { openCcxtExchange } from "../src/exchange/ccxt/open-ccxt-exchange.ts";
import { realClock } from "../src/exchange/sim/real-clock.ts";
import { encodeClientOrderId } from "../src/strategy/client-order-id.ts";
import { widestFilters } from "../src/venue/matching/filters.ts";
import { startVenue } from "../src/venue/server/start-venue.ts";
import type { BenchResult } from "./bench.ts";
import { spreadOf } from "./bench.ts";

const SYMBOL = "BTC/USDT";
const KEY = "bench-key";
const SECRET = "bench-secret";
const ROUNDS = 7;
const WARM_UPS = 2;
const SEQUENTIAL = 300;
const IN_FLIGHT = 32;
const TOGETHER = 960;
const MANY = 100_000_000;

const nothing = (): void => undefined;
const NO_LOG: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => NO_LOG };
const NO_METRICS: Metrics = { count: nothing, gauge: nothing, observe: nothing };

export async function benchCcxt(): Promise<readonly BenchResult[]> {
  if (!isMainThread) return serve();
  const worker = new Worker(process.argv[1] ?? "", { argv: process.argv.slice(2) });
  const [url] = (await once(worker, "message")) as [string];
  const urls = { rest: url, ws: url.replace("http", "ws") };
  const exchange = await openCcxtExchange({
    exchange: "binance",
    account: "main",
    keys: { apiKey: new Secret(KEY), secret: new Secret(SECRET), passphrase: undefined },
    urls,
    requestWindowMs: 5_000,
    clock: realClock,
    log: NO_LOG,
    metrics: NO_METRICS,
  });
  const plain = await openPlain(urls);
  try {
    await exchange.instrument(SYMBOL);
    const ours = async (): Promise<void> => placeOurs(exchange);
    const theirs = async (): Promise<void> => placeTheirs(plain);
    return [
      await compare("ccxt: place sequential", ours, theirs, SEQUENTIAL, 1),
      await compare("ccxt: place 32 in flight", ours, theirs, TOGETHER, IN_FLIGHT),
    ];
  } finally {
    await exchange.close();
    await plain.close();
    await worker.terminate();
  }
}

/** Calls a second, ours and ccxt's in turn, so that whatever else the computer does falls on both. */
async function compare(
  name: string,
  ours: () => Promise<void>,
  theirs: () => Promise<void>,
  calls: number,
  inFlight: number,
): Promise<BenchResult> {
  const mine: number[] = [];
  const other: number[] = [];
  for (let round = -WARM_UPS; round < ROUNDS; round += 1) {
    const rates =
      round % 2 === 0
        ? [await rateOf(ours, calls, inFlight), await rateOf(theirs, calls, inFlight)]
        : [await rateOf(theirs, calls, inFlight), await rateOf(ours, calls, inFlight)].reverse();
    if (round < 0) continue;
    mine.push(rates[0] as number);
    other.push(rates[1] as number);
  }
  const { median, min, max } = spreadOf(mine);
  const reference = { name: "ccxt createOrder", value: spreadOf(other).median };
  const ratio = spreadOf(mine.map((rate, round) => rate / (other[round] as number))).median;
  return { name, value: median, unit: "orders/s", min, max, reference, ratio };
}

async function rateOf(place: () => Promise<void>, calls: number, inFlight: number): Promise<number> {
  let left = calls;
  const started = performance.now();
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await place();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return (1_000 * calls) / (performance.now() - started);
}

let generation = 0;
const PRICE = 5_900_000 as PriceTicks;
const QUANTITY = 100 as QuantityLots;

function nextTerms(): OrderTerms {
  generation += 1;
  const slot = 1 as SlotNumber;
  const id = encodeClientOrderId(botCode("benchbench"), slot, "buy", generation as Generation);
  return {
    id,
    slot,
    side: "buy",
    generation: generation as Generation,
    type: "limit",
    price: PRICE,
    quantity: QUANTITY,
    createdAt: 0 as Instant,
  };
}

/** As the runner does: a place in the limits, then the order. */
async function placeOurs(exchange: CcxtExchange): Promise<void> {
  const terms = nextTerms();
  await exchange.admit(SYMBOL, terms, new AbortController().signal);
  const outcome = await exchange.placeOrder({
    symbol: SYMBOL,
    terms,
    validUntil: (Date.now() + exchange.requestWindowMs) as Instant,
  });
  if (outcome.kind !== "accepted") throw new Error(`the order was ${JSON.stringify(outcome)}`);
}

async function placeTheirs(client: CcxtClient): Promise<void> {
  const { id } = nextTerms();
  await client.createOrder(SYMBOL, "limit", "buy", "0.001", "59000", { clientOrderId: id });
}

/** ccxt as its own documents set it up, without its throttle. */
async function openPlain(urls: { readonly rest: string; readonly ws: string }): Promise<CcxtClient> {
  const Binance = await loadCcxt("binance");
  const client = new Binance({
    apiKey: KEY,
    secret: SECRET,
    enableRateLimit: false,
    timeout: 10_000,
    options: BINANCE.options,
    urls: { api: BINANCE.urls(urls.rest, urls.ws) },
  });
  await client.loadMarkets();
  return client;
}

/** The venue's thread: it ends with the bench. */
async function serve(): Promise<never> {
  const instrument = createInstrument({
    exchange: "binance",
    symbol: SYMBOL,
    tickSize: "0.01",
    lotSize: "0.00001",
    minNotional: "5",
    makerFee: "0.001",
    takerFee: "0.001",
  });
  const venue = await startVenue({
    host: "127.0.0.1",
    port: 0,
    adminPort: 0,
    symbols: [
      {
        instrument,
        filters: widestFilters(instrument),
        fill: "touch",
        source: { kind: "manual", startPrice: 6_000_000 as PriceTicks },
      },
    ],
    accounts: [{ name: "main", balances: { USDT: parseMoney("1000000000000") } }],
    keys: [{ key: KEY, secret: SECRET, account: "main", permissions: ["read", "trade"] }],
    feeAsset: "base",
    selfTrade: "expire_maker",
    limits: { weightPerMinute: MANY, ordersPer10Seconds: MANY, ordersPerDay: MANY, banMs: 1_000 },
    snapshotEvery: MANY,
    seed: 1,
    refuseReplays: false,
    log: NO_LOG,
  });
  parentPort?.postMessage(venue.url);
  return new Promise(() => undefined);
}
