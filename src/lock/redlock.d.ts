/** The part of redlock that is used here: its package.json hides its own types from ES imports. */
declare module "redlock" {
  import type { Redis } from "ioredis";

  export interface Settings {
    readonly driftFactor: number;
    readonly retryCount: number;
    readonly retryDelay: number;
    readonly retryJitter: number;
  }

  export interface ExecutionStats {
    readonly quorumSize: number;
    readonly votesFor: ReadonlySet<Redis>;
    readonly votesAgainst: ReadonlyMap<Redis, Error>;
  }

  type ScriptOf = (original: string) => string;

  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[];
  }

  export class Lock {
    constructor(
      redlock: Redlock,
      resources: readonly string[],
      value: string,
      attempts: readonly Promise<ExecutionStats>[],
      expiration: number,
    );
    readonly value: string;
    release(): Promise<unknown>;
  }

  export default class Redlock {
    constructor(
      clients: Iterable<Redis>,
      settings?: Partial<Settings>,
      scripts?: {
        readonly acquireScript?: ScriptOf;
        readonly extendScript?: ScriptOf;
        readonly releaseScript?: ScriptOf;
      },
    );
    acquire(resources: readonly string[], durationMs: number): Promise<Lock>;
    extend(lock: Lock, durationMs: number): Promise<Lock>;
    release(lock: Lock): Promise<unknown>;
  }
}
