/** One instance's part in its fleet: registered, on a seat or standing by, watching the others. */
import { QuantmeshError } from "../domain/errors.ts";
import { ActionLoop } from "./action-loop.ts";
import type { CoordinatorOptions } from "./coordinator-options.ts";
import type { FleetKeys, FleetView, Incarnation, Member, Role, Seat } from "./fleet-view.ts";
import { fleetKeys, holderName, readFleet, seatOf } from "./fleet-view.ts";
import type { Condition, KeyEntry, Write } from "./key-store.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { Mirror } from "./mirror.ts";
import { PeerBeliefs } from "./peer-beliefs.ts";
import type { PeerAddress, PeerMesh } from "./peer-mesh.ts";
import { openPeerMesh } from "./peer-mesh.ts";
import type { Permit } from "./permit.ts";
import type { SeatAction } from "./plan-seats.ts";
import { planSeats } from "./plan-seats.ts";
import { SeatHistory } from "./seat-history.ts";
import { SeatWriter } from "./seat-writer.ts";
import { StartPatience } from "./start-patience.ts";
import type { Sign } from "./suspicion.ts";
import { SymbolAssignment } from "./symbol-assignment.ts";

/** How often timers are looked at: a fraction of the shortest of them. */
const CHECK_SHARE = 10;

export class Coordinator {
  readonly keys: FleetKeys;
  readonly permit: Permit;
  readonly #options: CoordinatorOptions;
  readonly #mirror: Mirror;
  readonly #lease: LeaseKeeper;
  readonly #assignment: SymbolAssignment;
  readonly #beliefs: PeerBeliefs;
  readonly #history: SeatHistory;
  readonly #seats: SeatWriter;
  readonly #actions: ActionLoop<SeatAction>;
  #mesh: PeerMesh | undefined;
  /** Whose heartbeats we listen for. */
  #peers: readonly PeerAddress[] = [];
  #view: FleetView;
  #role: Role;
  #seat: Seat | undefined;
  #isDraining = false;
  #isOpen = false;
  #wasReplaced = false;
  #checkedAt = 0;
  #cancelCheck: () => void = () => undefined;

  constructor(options: CoordinatorOptions) {
    const { store, clock, log, metrics, fleet, me, role, times, owner } = options;
    this.#options = options;
    this.#role = role;
    this.keys = fleetKeys(fleet);
    this.#view = readFleet(this.keys, new Map());
    this.#assignment = new SymbolAssignment(times.settleMs, (symbols) => owner.assigned(symbols));
    this.#beliefs = new PeerBeliefs(me, times);
    this.#history = new SeatHistory(times.protectMs);
    this.#mirror = new Mirror({
      store,
      prefix: this.keys.prefix,
      clock,
      log,
      listIntervalMs: times.listIntervalMs,
      changed: () => this.#changed(),
      restored: () => this.#beginAnew(),
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
    this.#seats = new SeatWriter({
      keys: this.keys,
      mirror: this.#mirror,
      clock,
      log,
      metrics,
      me,
      lease: () => this.#lease.lease,
      view: () => this.#view,
      sign: (peer, sign) => this.#beliefs.sign(peer, sign),
    });
    this.#actions = new ActionLoop({
      clock,
      log,
      isOpen: () => this.#isOpen,
      plan: () => this.#plan(),
      carryOut: (action) => this.#seats.carryOut(action),
      failed: (error) => owner.failed(error),
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
    return this.#assignment.symbols;
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
    // Before the first listing no seat is known, and all of them would seem to be new after it.
    if (Number.isFinite(this.#mirror.verifiedAt)) this.#changed();
  }

  /** Leaves the ring, so that the others want our symbols; we keep our seat until `leave`. */
  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    await this.#seats.change(
      () => this.#seat,
      (seat) => ({ ...seat, state: "leaving" }),
    );
    await this.refresh();
    this.#changed();
  }

  /** Gives the seat up: everything of it is released. */
  async leave(): Promise<void> {
    await this.#seats.change(
      () => this.#seat,
      () => undefined,
    );
  }

  /** A conditional write whose effect is seen here at once. Throws COORDINATION_UNAVAILABLE. */
  write(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    return this.#mirror.write(conditions, writes);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#cancelCheck();
    await this.#lease.close();
    await this.#mirror.close();
    await this.#mesh?.close();
  }

  #describe(): Omit<Member, "id"> {
    const { me, describe, advertise, clock } = this.#options;
    return {
      incarnation: me.incarnation,
      role: this.#role,
      address: advertise(this.port),
      draining: this.#isDraining,
      ...(this.#seat === undefined ? {} : { seat: this.#seat.number }),
      unheard: this.#beliefs.unheard(this.#view, clock.monotonic()),
      startedAt: Number(me.incarnation.split("-")[0]),
      ...describe(),
    };
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
    // One that we are leaving has no symbols any more: it goes when all is given away.
    if (had?.state === "held" && !seat) this.#loseSeat("the seat was taken over");
    this.#returnToWork();
    this.#noteChallenges();
    this.#noteSeats();
    this.#watchPeers();
    this.#assignSymbols();
    if (this.#view.drains.get(me.id) === me.incarnation && !this.#isDraining)
      this.#options.owner.drainAsked();
    this.#actions.act();
  }

  /** True where another process has registered under our id: this one ends. */
  #isReplaced(): boolean {
    // It stays so, though the seat that it had may stand under its name for a moment more.
    if (this.#wasReplaced) return true;
    const { me, owner } = this.#options;
    const registered = this.#view.members.get(me.id);
    if (!this.#isOpen || registered === undefined || registered.incarnation === me.incarnation) return false;
    this.#isOpen = false;
    this.#wasReplaced = true;
    this.#loseSeat("another process has registered under our id");
    const message = `another process has registered as instance "${me.id}": give each instance an id of its own`;
    owner.failed(new QuantmeshError("ALREADY_RUNNING", message));
    return true;
  }

  /** Who was replaced while it was away stands by: the fleet is whole without it. */
  #loseSeat(reason: string): void {
    this.#seat = undefined;
    this.#assignment.clear();
    this.#role = "standby";
    this.#options.log.warn({ reason }, "seat.lost");
    this.#options.owner.lost(reason);
    void this.refresh();
  }

  /** The seats of a store that was restored are not those that are known: who had one gets another, and goes on as what it is. */
  #beginAnew(): void {
    this.#history.forget();
    if (this.#seat === undefined) return;
    const role = this.#role;
    this.#loseSeat("etcd was restored to an earlier state");
    this.#role = role;
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
    const { clock, log } = this.#options;
    for (const { id } of this.#beliefs.noteRefutes(this.#view, clock.monotonic()))
      log.info({ peer: id }, "suspicion.refuted");
  }

  #noteSeats(): void {
    this.#history.note(this.#view, this.#beliefs.of, this.#options.clock.monotonic());
  }

  #watchPeers(): void {
    const { me } = this.#options;
    const { members } = this.#view;
    const registered = [...members.values()].filter(({ id }) => id !== me.id);
    // A holder whose registration is gone may live: its beats tell.
    const missing = this.#peers.filter((peer) => !members.has(peer.id) && this.hasSeat(holderName(peer)));
    this.#peers = [...registered, ...missing];
    this.#mesh?.watch(this.#peers);
    this.#beliefs.keep(this.#peers);
  }

  #assignSymbols(): void {
    const { clock, symbols } = this.#options;
    this.#assignment.update(this.#view, this.#seat, symbols(), clock.monotonic());
  }

  #heard(peer: Incarnation, sign: Sign): void {
    const before = this.#beliefs.of(peer);
    this.#beliefs.sign(peer, sign);
    const after = this.#beliefs.of(peer);
    if (after.kind === before.kind) return;
    if (after.kind === "dead") this.#options.log.warn({ peer: peer.id, how: after.how }, "peer.dead");
    this.#noteSeats();
    this.#actions.act();
  }

  /** Looks at what only the time changes. */
  #check(): void {
    if (!this.#isOpen) return;
    const { clock, times } = this.#options;
    const now = clock.monotonic();
    const checkMs = Math.min(times.silenceMs, times.refuteMs) / CHECK_SHARE;
    if (now - this.#checkedAt > times.silenceMs / 2) {
      for (const peer of this.#peers) this.#beliefs.sign(peer, { kind: "observerSlept", at: now });
    }
    this.#checkedAt = now;
    if (this.#assignment.isSettling) this.#assignSymbols();
    this.#actions.act();
    this.#cancelCheck = clock.after(checkMs, () => this.#check());
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
      beliefOf: this.#beliefs.of,
      lastOnRing: this.#history.lastOnRing,
      orphanedSince: (seat) => this.#history.orphanedSince(seat) ?? now,
      isProtected: (seat) => this.#history.isProtected(seat, now),
    });
  }
}
