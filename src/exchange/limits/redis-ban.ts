/** A ban in Redis: one key that lives as long as the ban. */
import type { BanStore } from "./shared-ban.ts";

/** Two who tell of it at once leave the longer one. */
const EXTEND_SCRIPT = `
local left = math.max(0, redis.call('pttl', KEYS[1]))
local told = tonumber(ARGV[1])
if told <= left then return left end
redis.call('set', KEYS[1], '1', 'PX', ARGV[1])
return told`;

/** What is used of ioredis, be it one server or a Cluster. */
interface RedisClient {
  eval(script: string, keyCount: 1, key: string, argument: number): Promise<unknown>;
}

/** `client`: a connection of ioredis, which others open and close. */
export class RedisBan implements BanStore {
  readonly #client: RedisClient;
  readonly #key: string;

  constructor(client: object, key: string) {
    this.#client = client as RedisClient;
    this.#key = key;
  }

  async extend(forMs: number): Promise<number> {
    return Number(await this.#client.eval(EXTEND_SCRIPT, 1, this.#key, forMs));
  }
}
