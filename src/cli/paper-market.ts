/** Paper trading: the prices of a real exchange move a venue of our own, and the bot trades there as it would live. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { RealExchangeConfig } from "../config/schema.ts";
import { parseMoney } from "../domain/amounts.ts";
import type { PriceTicks } from "../domain/amounts.ts";
import { formatPrice } from "../domain/instrument.ts";
import type { Instrument } from "../domain/instrument.ts";
import { Secret } from "../domain/secret.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { CcxtOptions } from "../exchange/ccxt/open-ccxt-exchange.ts";
import type { PriceSource } from "../exchange/paper/dry-run-exchange.ts";
import { holdProcessLock } from "../storage/process-lock.ts";
import { widestFilters } from "../venue/matching/filters.ts";
import type { VenueServer } from "../venue/server/start-venue.ts";

/** Nobody shares this venue: its limits are not what is tried out. */
const NO_LIMIT = 1_000_000_000;
const SNAPSHOT_EVERY = 200_000;
const MOVE_LIMIT_MS = 5_000;

/** Opens the paper account where its journal left it. Closing what it returns closes `prices` too. */
export async function openPaperExchange(
  options: CcxtOptions,
  paper: RealExchangeConfig["paper"],
  symbols: readonly string[],
  prices: PriceSource,
): Promise<Exchange> {
  const { log, account } = options;
  // Loaded here, because most instances need no server.
  const { startVenue } = await import("../venue/server/start-venue.ts");
  const { openCcxtExchange } = await import("../exchange/ccxt/open-ccxt-exchange.ts");
  const markets = await Promise.all(
    symbols.map(async (symbol) => ({
      instrument: await prices.instrument(symbol),
      startPrice: (await prices.price(symbol)).price,
    })),
  );
  // Two processes on one journal would damage it.
  const lock = holdProcessLock(
    join(paper.journal, "venue"),
    "stop it first, or set paper.journal to another folder",
  );
  const closers: (() => Promise<void> | void)[] = [() => prices.close(), () => lock.release()];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next; next = closers.pop()) await next();
  };
  const [key, secret] = [randomBytes(16).toString("hex"), randomBytes(32).toString("hex")];
  try {
    const venue = await startVenue({
      host: "127.0.0.1",
      port: 0,
      adminPort: 0,
      symbols: markets.map(({ instrument, startPrice }) => ({
        instrument,
        filters: widestFilters(instrument),
        // What only touches a limit fills others first.
        fill: "through",
        source: { kind: "manual", startPrice },
      })),
      accounts: [{ name: account, balances: balancesOf(paper) }],
      keys: [{ key, secret, account, permissions: ["read", "trade"] }],
      feeAsset: "base",
      selfTrade: "expire_maker",
      limits: {
        weightPerMinute: NO_LIMIT,
        ordersPer10Seconds: NO_LIMIT,
        ordersPerDay: NO_LIMIT,
        banMs: 1_000,
      },
      folder: paper.journal,
      snapshotEvery: SNAPSHOT_EVERY,
      seed: 1,
      refuseReplays: false,
      log,
    });
    closers.push(() => venue.close());
    for (const { instrument, startPrice } of markets) {
      closers.push(follow(venue, prices, instrument, startPrice, options));
    }
    const exchange = await openCcxtExchange({
      ...options,
      exchange: "binance",
      name: options.exchange,
      isSandbox: false,
      keys: { apiKey: new Secret(key), secret: new Secret(secret), passphrase: undefined },
      urls: { rest: venue.url, ws: venue.url.replace("http", "ws") },
    });
    closers.push(() => exchange.close());
    return new Proxy<Exchange>(exchange, {
      get(target, property): unknown {
        if (property === "close") return close;
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  } catch (error) {
    await close();
    throw error;
  }
}

/** Moves the venue's price to each newer one of the exchange's, one at a time; whoever calls the result ends it. */
function follow(
  { adminPort }: VenueServer,
  prices: PriceSource,
  instrument: Instrument,
  startPrice: PriceTicks,
  { log }: CcxtOptions,
): () => void {
  const { symbol } = instrument;
  let wanted: PriceTicks | undefined = startPrice;
  let isMoving = false;
  let hasEnded = false;
  const moveOn = async (): Promise<void> => {
    if (isMoving) return;
    isMoving = true;
    for (let price = wanted; price !== undefined && !hasEnded; price = wanted) {
      wanted = undefined;
      try {
        await move(adminPort, symbol, formatPrice(instrument, price));
      } catch (error) {
        if (!hasEnded) log.warn({ symbol, error }, "paper.price_not_moved");
      }
    }
    isMoving = false;
  };
  const unsubscribe = prices.subscribe(symbol, (hint) => {
    if (hint.kind !== "tick") return;
    wanted = hint.price;
    void moveOn();
  });
  void moveOn();
  return () => {
    hasEnded = true;
    unsubscribe();
  };
}

async function move(adminPort: number, symbol: string, price: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/move`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ symbol, price }),
    signal: AbortSignal.timeout(MOVE_LIMIT_MS),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`the paper venue answered ${response.status}`);
}

function balancesOf({ balances }: RealExchangeConfig["paper"]) {
  return Object.fromEntries(Object.entries(balances).map(([asset, amount]) => [asset, parseMoney(amount)]));
}
