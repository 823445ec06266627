/** Request weight by address and new orders by account, counted in Binance's fixed intervals. */
import type { Instant } from "../../domain/ids.ts";
import { ApiError } from "./api-error.ts";
import type { Limits } from "./options.ts";

const MINUTE_MS = 60_000;
const TEN_SECONDS_MS = 10_000;
const DAY_MS = 86_400_000;
/** How often an address may go on after 429 before it is shut out. */
const MOST_IGNORED = 10;
/** Each further ban is twice as long, up to three days. */
const LONGEST_BAN_MS = 3 * DAY_MS;

interface Counter {
  interval: number;
  used: number;
}

interface Sender extends Counter {
  ignored: number;
  bannedUntil: number;
  banMs: number;
}

export class RateLimits {
  readonly #limits: Limits;
  readonly #senders = new Map<string, Sender>();
  readonly #orders = new Map<string, readonly [tenSeconds: Counter, day: Counter]>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Counts `weight` for `ip`; returns what it used in this minute.
   * Throws 429 when that is too much, 418 where the address went on regardless.
   */
  take(ip: string, weight: number, now: Instant): number {
    let sender = this.#senders.get(ip);
    if (!sender) {
      sender = { interval: 0, used: 0, ignored: 0, bannedUntil: 0, banMs: this.#limits.banMs };
      this.#senders.set(ip, sender);
    }
    if (now < sender.bannedUntil) throw banned(sender.bannedUntil, now);
    if (turn(sender, now, MINUTE_MS)) sender.ignored = 0;
    const { weightPerMinute } = this.#limits;
    if (sender.used + weight <= weightPerMinute) return (sender.used += weight);
    sender.ignored += 1;
    if (sender.ignored <= MOST_IGNORED) throw tooMuchWeight(weightPerMinute, untilNext(now, MINUTE_MS));
    sender.bannedUntil = now + sender.banMs;
    sender.banMs = Math.min(2 * sender.banMs, LONGEST_BAN_MS);
    throw banned(sender.bannedUntil, now);
  }

  /** Counts a new order of `account`; returns its orders in these ten seconds and on this day. Throws −1015. */
  takeOrder(account: string, now: Instant): readonly [tenSeconds: number, day: number] {
    let counters = this.#orders.get(account);
    if (!counters) {
      counters = [
        { interval: 0, used: 0 },
        { interval: 0, used: 0 },
      ];
      this.#orders.set(account, counters);
    }
    const [tenSeconds, day] = counters;
    turn(tenSeconds, now, TEN_SECONDS_MS);
    turn(day, now, DAY_MS);
    const { ordersPer10Seconds, ordersPerDay } = this.#limits;
    if (tenSeconds.used >= ordersPer10Seconds) throw tooManyOrders(ordersPer10Seconds, "10 SECOND");
    if (day.used >= ordersPerDay) throw tooManyOrders(ordersPerDay, "1 DAY");
    return [(tenSeconds.used += 1), (day.used += 1)];
  }

  /** How many orders `account` has sent in these ten seconds and on this day. */
  ordersOf(account: string, now: Instant): readonly [tenSeconds: number, day: number] {
    const counters = this.#orders.get(account);
    if (!counters) return [0, 0];
    turn(counters[0], now, TEN_SECONDS_MS);
    turn(counters[1], now, DAY_MS);
    return [counters[0].used, counters[1].used];
  }

  /** Forgets every count and ban. */
  reset(): void {
    this.#senders.clear();
    this.#orders.clear();
  }
}

/** Begins to count anew where another interval has begun; true where one has. */
function turn(counter: Counter, now: Instant, intervalMs: number): boolean {
  const interval = Math.floor(now / intervalMs);
  if (interval === counter.interval) return false;
  counter.interval = interval;
  counter.used = 0;
  return true;
}

function untilNext(now: Instant, intervalMs: number): number {
  return intervalMs - (now % intervalMs);
}

function retryAfter(ms: number): Readonly<Record<string, string>> {
  return { "Retry-After": String(Math.max(1, Math.ceil(ms / 1000))) };
}

function tooMuchWeight(limit: number, waitMs: number): ApiError {
  const message = `Too much request weight used; current limit is ${limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`;
  return new ApiError(429, -1003, message, retryAfter(waitMs));
}

function banned(until: number, now: Instant): ApiError {
  const message = `Way too much request weight used; IP banned until ${until}. Please use WebSocket Streams for live updates to avoid bans.`;
  return new ApiError(418, -1003, message, retryAfter(until - now));
}

function tooManyOrders(limit: number, interval: string): ApiError {
  return new ApiError(429, -1015, `Too many new orders; current limit is ${limit} orders per ${interval}.`);
}
