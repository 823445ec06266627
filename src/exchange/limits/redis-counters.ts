/** Counters in Redis, by rate-limiter-flexible: one script each, one round trip. */
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { CounterStore } from "./shared-counters.ts";

/**
 * Adds to the counter unless that would pass the most; then nothing is counted, and the answer is above it. (By itself
 * the library counts what it refuses, which would stand in the way of those who may use more.)
 */
const TAKE_SCRIPT = `
local sum = tonumber(redis.call('get', KEYS[1]) or '0') + tonumber(ARGV[1])
if sum > tonumber(ARGV[3]) then return {tonumber(ARGV[3]) + 1, 0} end
redis.call('set', KEYS[1], string.format('%.0f', sum), 'EX', ARGV[2])
return {sum, 1000 * ARGV[2]}`;

/** `client`: a connection of ioredis, which others open and close; `prefix`: what every key begins with. */
export class RedisCounters implements CounterStore {
  readonly #client: object;
  readonly #prefix: string;
  /** By the most that each lets pass; there are few. */
  readonly #limiters = new Map<number, RateLimiterRedis>();

  constructor(client: object, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async take(name: string, points: number, most: number, keptMs: number): Promise<number | undefined> {
    try {
      const options = { customDuration: Math.ceil(keptMs / 1000) };
      return (await this.#limiter(most).consume(name, points, options)).consumedPoints;
    } catch (error) {
      if (error instanceof RateLimiterRes) return undefined;
      throw error;
    }
  }

  async add(name: string, points: number, keptMs: number): Promise<number> {
    const options = { customDuration: Math.ceil(keptMs / 1000) };
    return (await this.#limiter(UNBOUNDED).penalty(name, points, options)).consumedPoints;
  }

  async count(name: string): Promise<number> {
    return (await this.#limiter(UNBOUNDED).get(name))?.consumedPoints ?? 0;
  }

  #limiter(most: number): RateLimiterRedis {
    let limiter = this.#limiters.get(most);
    if (!limiter) {
      limiter = new RateLimiterRedis({
        storeClient: this.#client,
        keyPrefix: this.#prefix,
        points: most,
        duration: 60,
        rejectIfRedisNotReady: true,
        customIncrTtlLuaScript: TAKE_SCRIPT,
      });
      this.#limiters.set(most, limiter);
    }
    return limiter;
  }
}

/** Above every count, and exact in a script's numbers. */
const UNBOUNDED = 2 ** 50;
