/** One instance's part in its fleet: registered, on a seat or standing by, watching the others. */
import type { Clock } from "../domain/clock.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import { assign } from "./assign.ts";
import type { FleetKeys, FleetView, Incarnation, Member, Role, Seat, SeatOrigin } from "./fleet-view.ts";
import { formatSeat, fleetKeys, holderName, isSame, readFleet, ringSeats, seatOf } from "./fleet-view.ts";
import type { Condition, KeyEntry, KeyEvent, KeyStore, Write } from "./key-store.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { Mirror } from "./mirror.ts";
import type { PeerAddress, PeerMesh, PeerMeshOptions } from "./peer-mesh.ts";
import { openPeerMesh } from "./peer-mesh.ts";
import type { Permit } from "./permit.ts";
import type { SeatAction } from "./plan-seats.ts";
import { orphanedBy, planSeats } from "./plan-seats.ts";
import type { SeatNumber } from "./ring.ts";
import { SettledRing } from "./settled-ring.ts";
import { StartPatience } from "./start-patience.ts";
import type { Belief, Sign, SuspicionLimits } from "./suspicion.ts";
import { UNHEARD, believe } from "./suspicion.ts";

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

const NO_SYMBOLS: ReadonlySet<string> = new Set();
/** How often timers are looked at: a fraction of the shortest of them. */
const CHECK_SHARE = 10;
const RETRY_MS = 200;
/** So long without a beat is worth telling people; it decides nothing. */
const UNHEARD_MS = 2000;

export class Coordinator {
  readonly keys: FleetKeys;
  readonly permit: Permit;
  readonly #options: CoordinatorOptions;
  readonly #mirror: Mirror;
  readonly #lease: LeaseKeeper;
  readonly #ring: SettledRing;
  readonly #beliefs = new Map<string, Belief>();
  /** By seat and revision: when it was first seen without a living holder, and until when it is not suspected. */
  readonly #orphanedSince = new Map<string, number>();
  readonly #protectedUntil = new Map<string, number>();
  #mesh: PeerMesh | undefined;
  /** Whose heartbeats we listen for. */
  #peers: readonly PeerAddress[] = [];
  #view: FleetView;
  #role: Role;
  #seat: Seat | undefined;
  #assigned: ReadonlySet<string> = NO_SYMBOLS;
  #assignedBy = "";
  #isDraining = false;
  #isOpen = false;
  #isActing = false;
  #mustActAgain = false;
  #checkedAt = 0;
  /** After a failed call nothing is tried for a moment. */
  #quietUntil = Number.NEGATIVE_INFINITY;
  #cancelCheck: () => void = () => undefined;

  constructor(options: CoordinatorOptions) {
    const { store, clock, log, fleet, me, role, times } = options;
    this.#options = options;
    this.#role = role;
    this.keys = fleetKeys(fleet);
    this.#view = readFleet(this.keys, new Map());
    this.#ring = new SettledRing(times.settleMs);
    this.#mirror = new Mirror({
      store,
      prefix: this.keys.prefix,
      clock,
      log,
      listIntervalMs: times.listIntervalMs,
      changed: () => this.#changed(),
    });
    this.#lease = new LeaseKeeper({
      store,
      keys: this.keys,
      mirror: this.#mirror,
      clock,
      log,
      me,
      ttlMs: times.leaseTtlMs,
      // Less than the time in which a silent instance is replaced.
      stallMs: 0.7 * (times.silenceMs + times.refuteMs),
      describe: () => this.#describe(),
    });
    this.permit = { isValid: () => this.#seat !== undefined && this.#lease.isValid() };
  }

  /** Listens, registers, and begins to take part, unless `signal` aborts. Throws COORDINATION_UNAVAILABLE, PORT_IN_USE. */
  async open(signal?: AbortSignal): Promise<void> {
    const { clock, log, me, mesh, times } = this.#options;
    this.#mesh = await openPeerMesh({
      ...mesh,
      clock,
      log,
      me,
      listener: {
        beat: (peer) => this.#heard(peer, { kind: "beat", at: clock.monotonic() }),
        gone: (peer) => this.#heard(peer, { kind: "gone", at: clock.monotonic() }),
        told: (peer, message) => this.#options.owner.told(message, holderName(peer)),
      },
    });
    const etcd = new StartPatience({ clock, log, limitMs: times.startLimitMs, signal });
    await etcd.ask(() => this.#mirror.open());
    await etcd.ask(() => this.#lease.open());
    await etcd.ask(() => this.#forgetOldDrain());
    this.#isOpen = true;
    this.#checkedAt = clock.monotonic();
    this.#check();
  }

  /** The port of our heartbeats. */
  get port(): number {
    return this.#mesh?.port ?? 0;
  }

  get me(): Incarnation {
    return this.#options.me;
  }

  get view(): FleetView {
    return this.#view;
  }

  /** What the view was read from. */
  get entries(): ReadonlyMap<string, KeyEntry> {
    return this.#mirror.entries;
  }

  get role(): Role {
    return this.#role;
  }

  get seat(): Seat | undefined {
    return this.#seat;
  }

  get assigned(): ReadonlySet<string> {
    return this.#assigned;
  }

  /** True while the holder of a claim, `holderName` of an incarnation, is on a seat. */
  hasSeat(name: string): boolean {
    return this.#view.seats.some(({ holder }) => holderName(holder) === name);
  }

  /** Says something to all others; who misses it finds out in another way. */
  tell(message: string): void {
    this.#mesh?.tell(message);
  }

  /** Registers what has changed about this instance. */
  async refresh(): Promise<void> {
    try {
      await this.#lease.refresh();
    } catch (error) {
      this.#options.log.warn({ error }, "coordination.refresh_failed");
    }
  }

  /** Looks again at what is assigned: the fleet's list of symbols has changed. */
  reassign(): void {
    this.#changed();
  }

  /** Leaves the ring, so that the others want our symbols; we keep our seat until `leave`. */
  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    await this.#changeSeat((seat) => ({ ...seat, state: "leaving" }));
    await this.refresh();
    this.#changed();
  }

  /** Gives the seat up: everything of it is released. */
  async leave(): Promise<void> {
    await this.#changeSeat(() => undefined);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#cancelCheck();
    await this.#lease.close();
    await this.#mirror.close();
    await this.#mesh?.close();
  }

  #describe(): Omit<Member, "id"> {
    const { me, describe, advertise } = this.#options;
    return {
      incarnation: me.incarnation,
      role: this.#role,
      address: advertise(this.port),
      draining: this.#isDraining,
      ...(this.#seat === undefined ? {} : { seat: this.#seat.number }),
      unheard: this.#unheard(),
      startedAt: Number(me.incarnation.split("-")[0]),
      ...describe(),
    };
  }

  /** Whom the others must judge by its lease, as far as we can tell. */
  #unheard(): readonly string[] {
    const now = this.#options.clock.monotonic();
    return [...this.#view.members.values()]
      .filter((peer) => {
        const belief = this.#beliefOf(peer);
        return peer.id !== this.#options.me.id && !(belief.kind === "alive" && now - belief.at < UNHEARD_MS);
      })
      .map(({ id }) => id)
      .sort();
  }

  /** A drain that was asked of an earlier run is over. */
  async #forgetOldDrain(): Promise<void> {
    const key = this.keys.drain(this.#options.me.id);
    if (this.#mirror.entries.has(key)) await this.#options.store.write([], [{ kind: "delete", key }]);
  }

  #changed(): void {
    this.#view = readFleet(this.keys, this.#mirror.entries);
    const { me } = this.#options;
    if (this.#isReplaced()) return;
    if (this.#isOpen && !this.#view.members.has(me.id)) this.#lease.registrationLost();
    const seat = seatOf(this.#view, me);
    const had = this.#seat;
    this.#seat = seat;
    if (had && !seat && !this.#isDraining) this.#loseSeat("the seat was taken over");
    this.#returnToWork();
    this.#noteChallenges();
    this.#noteSeats();
    this.#watchPeers();
    this.#assignSymbols();
    if (this.#view.drains.get(me.id) === me.incarnation && !this.#isDraining)
      this.#options.owner.drainAsked();
    this.#act();
  }

  /** True where another process has registered under our id: this one ends. */
  #isReplaced(): boolean {
    const { me, owner } = this.#options;
    const registered = this.#view.members.get(me.id);
    if (!this.#isOpen || registered === undefined || registered.incarnation === me.incarnation) return false;
    this.#isOpen = false;
    this.#loseSeat("another process has registered under our id");
    const message = `another process has registered as instance "${me.id}": give each instance an id of its own`;
    owner.failed(new QuantmeshError("ALREADY_RUNNING", message));
    return true;
  }

  /** Who was replaced while it was away stands by: the fleet is whole without it. */
  #loseSeat(reason: string): void {
    this.#seat = undefined;
    this.#assigned = NO_SYMBOLS;
    this.#assignedBy = "";
    this.#role = "standby";
    this.#options.log.warn({ reason }, "seat.lost");
    this.#options.owner.lost(reason);
    void this.refresh();
  }

  /** Who stands by because its seat was taken is an active instance again where nobody has a seat any more. */
  #returnToWork(): void {
    const { role, log } = this.#options;
    if (this.#role === role || this.#view.seats.length > 0) return;
    this.#role = role;
    log.warn({ role }, "seat.none_left");
    void this.refresh();
  }

  #noteChallenges(): void {
    const { clock, me } = this.#options;
    for (const seat of this.#view.seats) {
      const belief = this.#beliefOf(seat.holder);
      if (belief.kind !== "challenged") continue;
      const challenge = this.#view.challenges.get(seat.holder.id);
      if (challenge?.by === me.incarnation && isSame(challenge.suspect, seat.holder)) continue;
      this.#options.log.info({ peer: seat.holder.id }, "suspicion.refuted");
      this.#sign(seat.holder, { kind: "refuted", at: clock.monotonic() });
    }
  }

  #noteSeats(): void {
    const now = this.#options.clock.monotonic();
    const { protectMs } = this.#options.times;
    for (const seat of this.#view.seats) {
      const name = nameOf(seat);
      if (orphanedBy(this.#view, seat, this.#beliefOf) === undefined) this.#orphanedSince.delete(name);
      else if (!this.#orphanedSince.has(name)) this.#orphanedSince.set(name, now);
      if (seat.how === "suspected" && !this.#protectedUntil.has(name)) {
        this.#protectedUntil.set(name, now + protectMs);
      }
    }
    const names = new Set(this.#view.seats.map(nameOf));
    for (const known of [this.#orphanedSince, this.#protectedUntil]) {
      for (const name of known.keys()) if (!names.has(name)) known.delete(name);
    }
  }

  #watchPeers(): void {
    const { me } = this.#options;
    const { members } = this.#view;
    const registered = [...members.values()].filter(({ id }) => id !== me.id);
    // A holder whose registration is gone may live: its beats tell.
    const missing = this.#peers.filter((peer) => !members.has(peer.id) && this.hasSeat(holderName(peer)));
    this.#peers = [...registered, ...missing];
    this.#mesh?.watch(this.#peers);
    const known = new Set(this.#peers.map(holderName));
    for (const name of this.#beliefs.keys()) if (!known.has(name)) this.#beliefs.delete(name);
  }

  #assignSymbols(): void {
    const { clock, symbols, owner } = this.#options;
    // A standby follows the ring too: when it takes a seat over, the ring has long settled.
    const seats = this.#ring.inForce(ringSeats(this.#view), clock.monotonic());
    const seat = this.#seat;
    if (!seat) return;
    const pins = [...this.#view.pins].sort();
    const list = symbols();
    const by = JSON.stringify([seat.number, seats, pins, list]);
    if (by === this.#assignedBy) return;
    this.#assignedBy = by;
    const assigned = new Set(
      [...assign(list, seats, this.#view.pins)]
        .filter(([, number]) => number === seat.number)
        .map(([symbol]) => symbol),
    );
    this.#assigned = assigned;
    owner.assigned(assigned);
  }

  readonly #beliefOf = (peer: Incarnation): Belief => this.#beliefs.get(holderName(peer)) ?? UNHEARD;

  #heard(peer: Incarnation, sign: Sign): void {
    const before = this.#beliefOf(peer);
    this.#sign(peer, sign);
    const after = this.#beliefOf(peer);
    if (after.kind === before.kind) return;
    if (after.kind === "dead") this.#options.log.warn({ peer: peer.id, how: after.how }, "peer.dead");
    this.#noteSeats();
    this.#act();
  }

  #sign(peer: Incarnation, sign: Sign): void {
    this.#beliefs.set(holderName(peer), believe(this.#beliefOf(peer), sign, this.#options.times));
  }

  /** Looks at what only the time changes. */
  #check(): void {
    if (!this.#isOpen) return;
    const { clock, times } = this.#options;
    const now = clock.monotonic();
    const checkMs = Math.min(times.silenceMs, times.refuteMs) / CHECK_SHARE;
    if (now - this.#checkedAt > times.silenceMs / 2) {
      for (const peer of this.#peers) this.#sign(peer, { kind: "observerSlept", at: now });
    }
    this.#checkedAt = now;
    if (this.#ring.isSettling) this.#assignSymbols();
    this.#act();
    this.#cancelCheck = clock.after(checkMs, () => this.#check());
  }

  /** Carries out what is planned now, one action after the other; what changes meanwhile is planned anew. */
  #act(): void {
    if (!this.#isOpen || this.#options.clock.monotonic() < this.#quietUntil) return;
    this.#mustActAgain = true;
    if (this.#isActing) return;
    this.#isActing = true;
    void this.#actUntilSettled().finally(() => {
      this.#isActing = false;
    });
  }

  async #actUntilSettled(): Promise<void> {
    while (this.#mustActAgain && this.#isOpen) {
      this.#mustActAgain = false;
      for (const action of this.#plan()) {
        try {
          await this.#carryOut(action);
        } catch (error) {
          if (!hasCode(error, "COORDINATION_UNAVAILABLE")) return this.#options.owner.failed(error);
          this.#options.log.warn({ action: action.kind, error }, "coordination.action_failed");
          this.#quietUntil = this.#options.clock.monotonic() + RETRY_MS;
          return;
        }
      }
    }
  }

  #plan(): readonly SeatAction[] {
    const { clock, me, times } = this.#options;
    const now = clock.monotonic();
    return planSeats({
      view: this.#view,
      me,
      role: this.#role,
      draining: this.#isDraining,
      now,
      limits: times,
      graceMs: times.graceMs,
      beliefOf: this.#beliefOf,
      orphanedSince: (seat) => this.#orphanedSince.get(nameOf(seat)) ?? now,
      isProtected: (seat) => now < (this.#protectedUntil.get(nameOf(seat)) ?? 0),
    });
  }

  async #carryOut(action: SeatAction): Promise<void> {
    const { me, clock, log } = this.#options;
    switch (action.kind) {
      case "refute": {
        const key = this.keys.challenge(me.id);
        log.warn({ by: action.challenge.by }, "suspicion.challenged");
        await this.write([{ key, revision: action.challenge.revision }], [{ kind: "delete", key }]);
        return;
      }
      case "create":
        return this.#createSeat(action.seat);
      case "challenge": {
        const key = this.keys.challenge(action.suspect.id);
        const value = JSON.stringify({ suspect: action.suspect, by: me.incarnation });
        const { lease } = this.#lease;
        if (lease === undefined) return;
        const write: Write = { kind: "put", key, value, lease };
        const sent = clock.monotonic();
        const isStored = await this.write([{ key, revision: 0 }], [write]);
        if (!isStored) return;
        log.warn({ peer: action.suspect.id }, "suspicion.raised");
        this.#sign(action.suspect, { kind: "challenged", at: Math.max(sent, clock.monotonic()) });
        return;
      }
      case "adopt":
      case "remove":
        return this.#takeSeat(action);
    }
  }

  async #createSeat(number: SeatNumber): Promise<void> {
    const key = this.keys.seat(number);
    const value = formatSeat({ holder: this.#options.me, state: "held", how: "new" });
    if (await this.write([{ key, revision: 0 }], [{ kind: "put", key, value }])) {
      this.#options.log.info({ seat: number, how: "new" }, "seat.taken");
    }
  }

  async #takeSeat(action: SeatAction & { readonly kind: "adopt" | "remove" }): Promise<void> {
    const { me, clock, log, metrics } = this.#options;
    const { seat, how, challenge } = action;
    const key = this.keys.seat(seat.number);
    const conditions = [{ key, revision: seat.revision }];
    const holder = this.keys.member(seat.holder.id);
    // Who has registered anew meanwhile keeps its seat.
    if (how === "expired" && !this.entries.has(holder)) conditions.push({ key: holder, revision: 0 });
    const writes: Write[] = [
      action.kind === "remove"
        ? { kind: "delete", key }
        : { kind: "put", key, value: formatSeat({ holder: me, state: "held", how, from: seat.holder.id }) },
    ];
    // Who sits again is missed nowhere any more.
    for (const other of action.kind === "adopt" ? this.#view.seats : []) {
      if (other.from !== me.id || other.number === seat.number) continue;
      const { from: _, ...unmarked } = other;
      const name = this.keys.seat(other.number);
      conditions.push({ key: name, revision: other.revision });
      writes.push({ kind: "put", key: name, value: formatSeat(unmarked) });
    }
    if (challenge) {
      const name = this.keys.challenge(challenge.suspect.id);
      conditions.push({ key: name, revision: challenge.revision });
      writes.push({ kind: "delete", key: name });
    }
    const fields = { seat: seat.number, how, from: seat.holder.id };
    if (!(await this.write(conditions, writes))) return log.info(fields, "seat.not_taken");
    if (challenge) this.#sign(seat.holder, { kind: "unrefuted", at: clock.monotonic() });
    log.warn(fields, action.kind === "adopt" ? "seat.taken_over" : "seat.removed");
    if (action.kind === "adopt" && how !== "returned")
      metrics.count("quantmesh_takeovers_total", { reason: how });
  }

  /** Changes or deletes our own seat, for as long as it is ours. */
  async #changeSeat(change: (seat: Seat) => Seat | undefined): Promise<void> {
    for (let seat = this.#seat; seat !== undefined; seat = this.#seat) {
      const key = this.keys.seat(seat.number);
      const next = change(seat);
      const write: Write = next ? { kind: "put", key, value: formatSeat(next) } : { kind: "delete", key };
      if (await this.write([{ key, revision: seat.revision }], [write])) return;
    }
  }

  /** A conditional write whose effect is seen here at once. Throws COORDINATION_UNAVAILABLE. */
  async write(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    const revision = await this.#options.store.write(conditions, writes);
    if (revision === undefined) {
      await this.#mirror.verify();
      return false;
    }
    this.#mirror.apply(writes.map((write) => eventOf(write, revision)));
    return true;
  }
}

function eventOf(write: Write, revision: number): KeyEvent {
  const { key } = write;
  return write.kind === "put"
    ? { kind: "put", entry: { key, value: write.value, revision } }
    : { kind: "deleted", key, revision };
}

function nameOf({ number, revision }: Seat): string {
  return `${number} ${revision}`;
}

/** How a takeover came about, as the metric's label. */
export type TakeoverKind = Exclude<SeatOrigin, "new" | "returned">;
