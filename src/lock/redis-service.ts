/** The Redis servers that one set of locks lives on, whether one stands there or a cluster. */
import type { RedisOptions } from "ioredis";
import { RedisNode } from "./redis-node.ts";
import type { RedisScript } from "./redis-scripts.ts";
import { TOO_LATE } from "./redis-scripts.ts";

/** A script call as the servers differ on it: each has its own clock. */
export interface ScriptCall {
  readonly script: RedisScript;
  /** All of one slot. */
  readonly keys: readonly string[];
  /** `deadline` turns local monotonic ms into text on the server's clock. */
  readonly args: (deadline: (localMs: number) => string) => readonly (string | number)[];
  /** True where it grants what nobody held: an untrusted server must refuse it. */
  readonly grants: boolean;
}

export interface RedisService {
  /** The key as it stands in Redis. */
  nameOf(key: string): string;
  /** Keys of equal slot may be used by one script. */
  slotOf(name: string): number;
  /** Throws LockUnavailable. */
  call(call: ScriptCall): Promise<unknown>;
  ping(): Promise<void>;
  close(): void;
}

export interface RedisTimes {
  readonly timeoutMs: number;
  readonly maxTtlMs: number;
}

/** One server, or whichever server Sentinel names; with several connections each key keeps to one of them. */
export class RedisServer implements RedisService {
  readonly #nodes: readonly RedisNode[];
  readonly #prefix: string;

  constructor(
    connection: RedisOptions,
    name: string,
    prefix: string,
    connections: number,
    times: RedisTimes,
  ) {
    this.#prefix = prefix;
    this.#nodes = Array.from({ length: connections }, () => new RedisNode({ connection, name, ...times }));
  }

  async opened(limitMs: number): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.opened(limitMs)));
  }

  nameOf(key: string): string {
    return this.#prefix + key;
  }

  slotOf(name: string): number {
    return this.#nodes.length === 1 ? 0 : hashOf(marketOf(name)) % this.#nodes.length;
  }

  async call(call: ScriptCall): Promise<unknown> {
    const [first = ""] = call.keys;
    return runOn(this.#nodes[this.slotOf(first)] as RedisNode, call);
  }

  async ping(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.ping()));
  }

  close(): void {
    for (const node of this.#nodes) node.close();
  }
}

/** Runs the call on one node, with its deadlines on that node's clock. */
export async function runOn(node: RedisNode, { script, keys, args, grants }: ScriptCall): Promise<unknown> {
  if (grants) node.refuseIfNotTrusted();
  const answer = await node.run(
    script,
    keys,
    args((localMs) => node.serverTime(localMs)),
  );
  // In time for us, but not by the server's clock: it was set since we looked.
  if (answer === TOO_LATE) node.remeasureClock();
  return answer;
}

/** What the keys of one market have in common: everything before the last colon. */
export function marketOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf(":")));
}

function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}
