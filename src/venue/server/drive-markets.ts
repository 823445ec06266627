/** Moves the prices of all symbols in real time, each by its own source. */
import type { PriceTicks } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { PointSource } from "../market/feed.ts";
import { candleSource, walkSource } from "../market/feed.ts";
import { createWalk } from "../market/walk.ts";
import type { PriceSource, VenueSymbol } from "./options.ts";

/** So many points at most in one turn of the event loop: requests come in between. */
const MOST_POINTS_PER_TURN = 1_000;
const LONGEST_TIMER_MS = 60_000;

interface Driven {
  readonly symbol: string;
  readonly source: PointSource;
  readonly speed: number;
  /** Real time (monotonic, ms) at which the source's time is zero. */
  readonly origin: number;
}

export interface MarketDriver {
  pause(): void;
  resume(): void;
  readonly isPaused: boolean;
  stop(): void;
}

export interface DriveOptions {
  readonly symbols: readonly VenueSymbol[];
  /** How many points of a symbol's source were consumed before. */
  readonly pointsOf: (symbol: string) => number;
  readonly advance: (symbol: string, price: PriceTicks) => void;
}

/** Goes on where `pointsOf` says that the venue was; time in which it was away or paused does not count. */
export function driveMarkets({ symbols, pointsOf, advance }: DriveOptions): MarketDriver {
  let timer: NodeJS.Timeout | undefined;
  let driven: readonly Driven[] = [];
  const sources = symbols.flatMap(({ instrument: { symbol }, source }) => {
    const points = sourceOf(symbol, source);
    if (!points) return [];
    for (let point = pointsOf(symbol); point > 0 && points.nextAt() !== undefined; point -= 1) points.next();
    return [{ symbol, source: points, speed: source.kind === "replay" ? source.speed : 1 }];
  });
  const start = (): void => {
    const now = performance.now();
    driven = sources.map((one) => ({ ...one, origin: now - (beforeNext(one.source) ?? 0) / one.speed }));
    turn();
  };
  const turn = (): void => {
    const now = performance.now();
    let dueIn = LONGEST_TIMER_MS;
    let points = 0;
    for (const one of driven) {
      for (;;) {
        const wait = waitOf(one, now);
        if (wait === undefined) break;
        if (wait > 0 || points >= MOST_POINTS_PER_TURN) {
          dueIn = Math.min(dueIn, Math.max(wait, 0));
          break;
        }
        points += 1;
        advance(one.symbol, one.source.next());
      }
    }
    timer = setTimeout(turn, Math.ceil(dueIn));
  };
  const stop = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  start();
  return {
    pause: stop,
    resume: () => {
      if (timer === undefined) start();
    },
    get isPaused() {
      return timer === undefined;
    },
    stop,
  };
}

/** The price that a symbol stands at before its first point. */
export function startPriceOf(source: PriceSource): PriceTicks {
  return source.kind === "replay" ? (source.candles.open[0] as PriceTicks) : source.startPrice;
}

function sourceOf(symbol: string, source: PriceSource): PointSource | undefined {
  if (source.kind === "manual") return undefined;
  if (source.kind === "replay") return candleSource(symbol, source.candles);
  const { seed, startPrice, stepTicks, stepMs, reversion } = source;
  return walkSource(symbol, createWalk({ seed, startTicks: startPrice, stepTicks, reversion }), stepMs);
}

/** How long until the symbol's next point is due, ms; undefined after the last one. */
function waitOf({ source, speed, origin }: Driven, now: number): number | undefined {
  const at: Instant | undefined = source.nextAt();
  return at === undefined ? undefined : origin + at / speed - now;
}

/** A moment of the source's time just before its next point: what was waited for before a restart is waited for again. */
function beforeNext(source: PointSource): number | undefined {
  const at = source.nextAt();
  return at === undefined ? undefined : at - 1;
}
