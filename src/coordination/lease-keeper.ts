/** Keeps this instance registered under a lease, and says until when that lets it act. */
import { QuantmeshError } from "../domain/errors.ts";
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { FleetKeys, Incarnation, Member } from "./fleet-view.ts";
import type { KeyStore, LeaseId } from "./key-store.ts";
import type { Mirror } from "./mirror.ts";
import type { Permit } from "./permit.ts";

export interface LeaseKeeperOptions {
  readonly store: KeyStore;
  readonly keys: FleetKeys;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Log;
  readonly me: Incarnation;
  readonly ttlMs: number;
  /** An own pause of this length may have cost the seat: nothing is done before the store was asked. */
  readonly stallMs: number;
  /** What is registered. */
  readonly describe: () => Omit<Member, "id">;
}

/** The share of the lease that its holder uses: clocks may differ in rate, and a renewal takes its time. */
const PERMIT_SHARE = 0.7;
const CHECKS_PER_STALL = 6;
const RENEWALS_PER_TTL = 5;

export class LeaseKeeper implements Permit {
  readonly #options: LeaseKeeperOptions;
  #lease: LeaseId | undefined;
  #validUntil = Number.NEGATIVE_INFINITY;
  #checkedAt: number;
  /** When the last own pause was noticed. */
  #pausedAt = Number.NEGATIVE_INFINITY;
  #registered = "";
  #isClosed = false;
  #cancelCheck: () => void = () => undefined;
  #cancelRenewal: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#checkedAt = options.clock.monotonic();
  }

  /** Registers. Throws COORDINATION_UNAVAILABLE. */
  async open(): Promise<void> {
    await this.#register();
    this.#check();
    this.#scheduleRenewal();
  }

  /** Counted from before the last renewal was sent; never valid right after an own pause. */
  isValid(): boolean {
    const now = this.#options.clock.monotonic();
    return now < this.#validUntil && now - this.#checkedAt < this.#options.stallMs;
  }

  get lease(): LeaseId | undefined {
    return this.#lease;
  }

  /** Registers what has changed, if anything has. */
  async refresh(): Promise<void> {
    if (this.#isClosed || this.#lease === undefined || this.#described() === this.#registered) return;
    await this.#serially(async () => {
      // A key without a lease would stay for ever.
      if (this.#lease !== undefined) await this.#put(this.#lease);
    });
  }

  /**
   * The registration is gone although nobody of ours has taken it away: etcd may end a lease that was renewed
   * (etcd-io/etcd#15247). Ends the permit now, and registers anew.
   */
  registrationLost(): void {
    // Without a lease it is being registered already.
    if (this.#isClosed || this.#lease === undefined) return;
    this.#options.log.warn({}, "coordination.registration_lost");
    this.#forgetLease();
    this.#cancelRenewal();
    void this.#renewNow();
  }

  /** Gives the lease back: whoever watches knows at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#validUntil = Number.NEGATIVE_INFINITY;
    this.#cancelCheck();
    this.#cancelRenewal();
    await this.#working;
    if (this.#lease === undefined) return;
    try {
      await this.#options.store.revokeLease(this.#lease);
    } catch (error) {
      // It expires by itself.
      this.#options.log.warn({ error }, "coordination.revoke_failed");
    }
  }

  #check(): void {
    const { clock, stallMs } = this.#options;
    const now = clock.monotonic();
    if (now - this.#checkedAt >= stallMs) {
      this.#options.log.warn({ pausedMs: Math.round(now - this.#checkedAt) }, "instance.paused");
      this.#validUntil = Number.NEGATIVE_INFINITY;
      this.#pausedAt = now;
      this.#cancelRenewal();
      void this.#renewNow();
    }
    this.#checkedAt = now;
    this.#cancelCheck = clock.after(stallMs / CHECKS_PER_STALL, () => this.#check());
  }

  #scheduleRenewal(): void {
    if (this.#isClosed) return;
    const delayMs = this.isValid() ? this.#options.ttlMs / RENEWALS_PER_TTL : this.#options.ttlMs / 50;
    this.#cancelRenewal = this.#options.clock.after(delayMs, () => void this.#renewNow());
  }

  async #renewNow(): Promise<void> {
    try {
      await this.#serially(() => this.#renew());
    } catch (error) {
      this.#options.log.warn({ error }, "coordination.renewal_failed");
    }
    this.#cancelRenewal();
    this.#scheduleRenewal();
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return;
    const { store, clock, mirror, log } = this.#options;
    const lease = this.#lease;
    if (lease === undefined) return this.#register();
    const sent = clock.monotonic();
    if (!(await store.keepLease(lease))) {
      log.warn({}, "coordination.lease_expired");
      return this.#register();
    }
    // After a gap the seat may be another's by now: look before acting.
    if (sent >= this.#validUntil) await mirror.verify();
    this.#permit(lease, sent);
  }

  async #register(): Promise<void> {
    const { store, clock, mirror, ttlMs } = this.#options;
    this.#forgetLease();
    const sent = clock.monotonic();
    const { id } = await store.grantLease(ttlMs);
    await mirror.verify();
    await this.#put(id);
    this.#lease = id;
    await mirror.verify();
    this.#permit(id, sent);
  }

  /**
   * Nothing where the registration under this lease was lost meanwhile, or where what was asked since `sent` may have been
   * answered before a pause of our own.
   */
  #permit(lease: LeaseId, sent: number): void {
    if (this.#isClosed || this.#lease !== lease || sent < this.#pausedAt) return;
    this.#validUntil = sent + PERMIT_SHARE * this.#options.ttlMs;
  }

  #forgetLease(): void {
    this.#lease = undefined;
    this.#validUntil = Number.NEGATIVE_INFINITY;
  }

  /** Writes the registration over our own or an older run's. Throws LEASE_LOST where a newer run has its own there. */
  async #put(lease: LeaseId): Promise<void> {
    const { store, keys, mirror, me } = this.#options;
    const key = keys.member(me.id);
    const seen = mirror.entries.get(key);
    const wasOurs = this.#registered !== "";
    if (wasOurs && seen && !seen.value.includes(me.incarnation)) {
      const message = `another process has registered as ${me.id}`;
      throw new QuantmeshError("LEASE_LOST", message);
    }
    const value = this.#described();
    const write = { kind: "put" as const, key, value, lease };
    const revision = await store.write([{ key, revision: seen?.revision ?? 0 }], [write]);
    if (revision === undefined) {
      await mirror.verify();
      throw new QuantmeshError("COORDINATION_UNAVAILABLE", `the registration of ${me.id} changed meanwhile`);
    }
    this.#registered = value;
    mirror.apply([{ kind: "put", entry: { key, value, revision } }]);
  }

  #described(): string {
    return JSON.stringify({ ...this.#options.describe(), id: this.#options.me.id });
  }

  async #serially(work: () => Promise<void>): Promise<void> {
    const run = this.#working.then(work);
    this.#working = run.catch(() => undefined);
    await run;
  }
}
