/** What a coordinator is given: its parts, its times, and who acts on what the fleet decides. */
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { Incarnation, Member, Role } from "./fleet-view.ts";
import type { KeyStore } from "./key-store.ts";
import type { PeerMeshOptions } from "./peer-mesh.ts";
import type { SuspicionLimits } from "./suspicion.ts";

export interface CoordinatorOptions {
  readonly store: KeyStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly fleet: string;
  readonly me: Incarnation;
  readonly role: Role;
  readonly mesh: Pick<PeerMeshOptions, "host" | "port" | "secret" | "tls" | "beatMs">;
  /** The `host:port` under which the others reach our heartbeats, given the port that we listen on. */
  readonly advertise: (port: number) => string;
  readonly times: CoordinatorTimes;
  /** What the registration says beyond the coordinator's own knowledge. */
  readonly describe: () => Pick<Member, "version" | "symbols" | "config" | "canary" | "degraded" | "load">;
  readonly symbols: () => readonly string[];
  readonly owner: Owner;
}

/** All in ms. */
export interface CoordinatorTimes extends SuspicionLimits {
  readonly leaseTtlMs: number;
  /** How long a seat without a holder waits for a standby before its symbols spread. */
  readonly graceMs: number;
  /** How long a new seat waits for others that come up with it. */
  readonly settleMs: number;
  /** A seat taken on suspicion is not taken so again for this long. */
  readonly protectMs: number;
  readonly listIntervalMs: number;
  /** How long the start waits for an etcd that does not answer. */
  readonly startLimitMs: number;
}

/** Who acts on what the fleet has decided. */
export interface Owner {
  /** These symbols, and no others, are ours while we have our seat: give away what is not among them. */
  assigned(symbols: ReadonlySet<string>): void;
  /** The seat is another's: stop at once, touch nothing on the exchange. */
  lost(reason: string): void;
  /** A peer, `by` as the holder of its claims, has said something to all. */
  told(message: string, by: string): void;
  /** An operator wants this instance to give everything away. */
  drainAsked(): void;
  /** This process must end. */
  failed(error: unknown): void;
}
