/** The ccxt adapter on a venue's server. */
import type { Log } from "../../src/domain/log.ts";
import type { Metrics } from "../../src/domain/metrics.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { CcxtExchange } from "../../src/exchange/ccxt/ccxt-exchange.ts";
import type { TradingOptions } from "../../src/exchange/ccxt/open-ccxt-exchange.ts";
import { openCcxtExchange } from "../../src/exchange/ccxt/open-ccxt-exchange.ts";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import type { KeptLine } from "./kept-log.ts";
import { logInto } from "./kept-log.ts";
import type { VenueProcess } from "./venue-process.ts";
import { VENUE_KEY } from "./venue-process.ts";

/** Long enough for a busy machine, and less than the clocks that tests set ahead. */
const REQUEST_WINDOW_MS = 4_000;

const nothing = (): void => undefined;
const NO_METRICS: Metrics = { count: nothing, gauge: nothing, observe: nothing };

export interface OnVenue extends Partial<TradingOptions> {
  readonly key?: { readonly apiKey: string; readonly secret: string };
  readonly lines?: KeptLine[];
}

export function keysOf({ apiKey, secret }: { readonly apiKey: string; readonly secret: string }) {
  return { apiKey: new Secret(apiKey), secret: new Secret(secret), passphrase: undefined };
}

/** Opens the adapter; only the addresses are not Binance's own. */
export async function openOnVenue(
  venue: Pick<VenueProcess, "url" | "wsUrl">,
  { key = VENUE_KEY, lines = [], ...options }: OnVenue = {},
): Promise<CcxtExchange> {
  const log: Log = logInto(lines);
  return openCcxtExchange({
    exchange: "binance",
    account: "main",
    keys: keysOf(key),
    urls: { rest: venue.url, ws: venue.wsUrl },
    requestWindowMs: REQUEST_WINDOW_MS,
    clock: realClock,
    log,
    metrics: NO_METRICS,
    ...options,
  });
}
