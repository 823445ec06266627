/** Watches over a canary: every instance judges it alike, and whoever is first by compare-and-swap carries it out. */
import type { Clock } from "../domain/clock.ts";
import { hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { CentreState, ConfigCentre } from "./config-centre.ts";
import { inForce } from "./config-centre.ts";
import type { CanaryReport } from "./roll-out.ts";
import { judgeCanary } from "./roll-out.ts";

export interface RollOutGuardOptions {
  readonly centre: Pick<ConfigCentre, "promote" | "rollBack">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Our id. */
  readonly by: string;
  /** Of every registered instance, as far as it reports. */
  readonly reports: () => readonly CanaryReport[];
}

/** The state of a canary as this instance sees it. */
interface Watched {
  readonly state: CentreState;
  readonly expected: readonly string[];
  /** Monotonic ms since all of its bots have traded, or since not all have. */
  readonly since: number;
  readonly isGood: boolean;
}

/** After a longer pause between two checks this process slept: nobody watched meanwhile. */
const SLEPT_MS = 5_000;

export class RollOutGuard {
  readonly #options: RollOutGuardOptions;
  #watched: Watched | undefined;
  #checkedAt = Number.POSITIVE_INFINITY;
  #isDeciding = false;

  constructor(options: RollOutGuardOptions) {
    this.#options = options;
  }

  /** The state has changed; `expected`: the bots that are to trade under a canary, where there is one. */
  follow(state: CentreState, expected: readonly string[]): void {
    const { rollOutRevision } = state;
    if (!inForce(state)?.canary) this.#watched = undefined;
    else if (this.#watched?.state.rollOutRevision !== rollOutRevision)
      this.#watched = { state, expected, since: this.#options.clock.monotonic(), isGood: false };
    else this.#watched = { ...this.#watched, state, expected };
  }

  /** Judges, and decides where it is time to; to be called a few times a second. Never throws. */
  async check(): Promise<void> {
    const { clock, log, reports } = this.#options;
    const canary = this.#watched && inForce(this.#watched.state)?.canary;
    if (!this.#watched || !canary || this.#isDeciding) return;
    const now = clock.monotonic();
    if (now - this.#checkedAt > SLEPT_MS) this.#watched = { ...this.#watched, since: now };
    this.#checkedAt = now;
    const { state, expected, since, isGood } = this.#watched;
    const elapsed = now - since;
    const verdict = judgeCanary(canary.rollOut, expected, reports(), {
      goodMs: isGood ? elapsed : 0,
      badMs: isGood ? 0 : elapsed,
    });
    const isGoodNow =
      verdict.kind !== "rollBack" && (verdict.kind !== "wait" || verdict.missing.length === 0);
    if (isGoodNow !== isGood) this.#watched = { ...this.#watched, since: now, isGood: isGoodNow };
    if (verdict.kind === "wait") return;
    this.#isDeciding = true;
    try {
      if (verdict.kind === "promote") await this.#promote(state, canary.version.version);
      else await this.#rollBack(state, canary.rollOut.version, verdict.trip, verdict.reason);
    } catch (error) {
      if (!hasCode(error, "COORDINATION_UNAVAILABLE")) throw error;
      // Whether it was stored shows when the state is followed again; the next check tries once more.
      log.warn({ error }, "config.decision_failed");
    } finally {
      this.#isDeciding = false;
    }
  }

  async #promote(state: CentreState, version: number): Promise<void> {
    const { centre, log, by } = this.#options;
    if (await centre.promote(state, by)) log.info({ version }, "config.promoted");
  }

  async #rollBack(state: CentreState, version: number, trip: string, reason: string): Promise<void> {
    const { centre, clock, log, metrics, by } = this.#options;
    const to = inForce(state)?.whole;
    if (!to || !(await centre.rollBack(state, { to, by, at: clock.now(), reason }))) return;
    metrics.count("quantmesh_config_rollbacks_total", { reason: trip });
    log.error({ version, trip, reason, to: to.version }, "config.rolled_back");
  }
}
