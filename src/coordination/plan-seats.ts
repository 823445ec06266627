/** What one instance does about the fleet's seats: adopt an orphan, stand up a new one, challenge, refute. Pure. */
import type { Challenge, FleetView, Incarnation, Role, Seat, SeatOrigin } from "./fleet-view.ts";
import { isRegistered, isSame, ringSeats, seatOf } from "./fleet-view.ts";
import type { SeatNumber } from "./ring.ts";
import type { Belief, SuspicionLimits } from "./suspicion.ts";
import { judge } from "./suspicion.ts";

export type SeatAction =
  /** Our challenge: delete it, we live. */
  | { readonly kind: "refute"; readonly challenge: Challenge }
  /** Add a seat; in the place of the one with which `from` was the last to leave the ring. */
  | { readonly kind: "create"; readonly seat: SeatNumber; readonly from?: string }
  /** Take the seat over; of a suspect only while its challenge stands. */
  | { readonly kind: "adopt"; readonly seat: Seat; readonly how: SeatOrigin; readonly challenge?: Challenge }
  /** Take the seat off the ring: nobody is there to adopt it. */
  | { readonly kind: "remove"; readonly seat: Seat; readonly how: SeatOrigin; readonly challenge?: Challenge }
  | { readonly kind: "challenge"; readonly suspect: Incarnation };

export interface SeatSituation {
  readonly view: FleetView;
  readonly me: Incarnation;
  readonly role: Role;
  readonly draining: boolean;
  /** Monotonic ms. */
  readonly now: number;
  readonly limits: SuspicionLimits;
  /** How long a seat without a holder waits for a standby before it leaves the ring, ms. */
  readonly graceMs: number;
  readonly beliefOf: (peer: Incarnation) => Belief;
  /** Who was last seen on the ring; undefined where nobody ever was. */
  readonly lastOnRing: Incarnation | undefined;
  /** When the seat was first seen without a living holder. */
  readonly orphanedSince: (seat: Seat) => number;
  /** True for a while after a seat was taken on suspicion: it is not taken so again. */
  readonly isProtected: (seat: Seat) => boolean;
}

/** At most one action per seat; each is a compare-and-swap that may lose, and the next plan follows from what is then. */
export function planSeats(situation: SeatSituation): readonly SeatAction[] {
  const { view, me, draining } = situation;
  const challenge = view.challenges.get(me.id);
  const refutes: readonly SeatAction[] =
    challenge && isSame(challenge.suspect, me) ? [{ kind: "refute", challenge }] : [];
  // Who is not registered, as after all leases were ended at once, is no judge of others before it is again.
  if (draining || !isRegistered(view, me)) return refutes;
  const held = view.seats.filter(({ holder }) => isSame(holder, me));
  const haveSeat = held.length > 0;
  // A write that was carried out late may have given us another one, whose symbols nobody trades.
  const surplus = held.slice(1).map((seat): SeatAction => ({ kind: "remove", seat, how: seat.how }));
  const actions = view.seats
    .filter(({ holder }) => !isSame(holder, me))
    .map((seat) => planSeat(situation, seat, haveSeat))
    .filter((action) => action !== undefined);
  const adoptions = actions.filter(({ kind }) => kind === "adopt");
  const rest = actions.filter(({ kind }) => kind !== "adopt");
  // One seat at a time: the second orphan goes to the next standby.
  const own = haveSeat ? [] : adoptions.length > 0 ? adoptions.slice(0, 1) : newSeat(situation);
  return [...refutes, ...surplus, ...own, ...rest];
}

/**
 * An active instance adds a seat, but for one whose seat was taken over: the fleet has as many as it had. Where the last
 * instance has left the ring in order, a standby adds one in its place.
 */
function newSeat(situation: SeatSituation): readonly SeatAction[] {
  const { view, me, role, lastOnRing } = situation;
  const seat = freeNumber(view);
  if (lastOnRing !== undefined && lastOnRing.id !== me.id && isDeserted(situation))
    return [{ kind: "create", seat, from: lastOnRing.id }];
  const wasTaken = view.seats.some(({ from }) => from === me.id);
  return role === "active" && !wasTaken ? [{ kind: "create", seat }] : [];
}

/** True where nobody is on the ring, nor is an active instance about to join it: a standby leaves the place to that one. */
function isDeserted({ view, me, role, beliefOf }: SeatSituation): boolean {
  if (ringSeats(view).length > 0) return false;
  const joining = [...view.members.values()].filter(
    (member) =>
      member.role === "active" &&
      !member.draining &&
      !isSame(member, me) &&
      seatOf(view, member) === undefined &&
      beliefOf(member).kind !== "dead",
  );
  return role === "active" || joining.length === 0;
}

/** Why the holder of `seat` is gone; undefined while it may live. */
export function orphanedBy(
  view: FleetView,
  seat: Seat,
  beliefOf: (peer: Incarnation) => Belief,
): SeatOrigin | undefined {
  if (!isRegistered(view, seat.holder)) return "expired";
  const belief = beliefOf(seat.holder);
  return belief.kind === "dead" && belief.how === "crashed" ? "crashed" : undefined;
}

function planSeat(situation: SeatSituation, seat: Seat, haveSeat: boolean): SeatAction | undefined {
  const { view, me, now, graceMs, beliefOf, orphanedSince } = situation;
  const orphaned = orphanedBy(view, seat, beliefOf);
  if (orphaned === undefined) return planSuspect(situation, seat, haveSeat);
  if (mayReturn(situation, seat)) return undefined;
  if (seat.state === "leaving") return { kind: "remove", seat, how: orphaned };
  if (!haveSeat) {
    return { kind: "adopt", seat, how: seat.holder.id === me.id ? "returned" : orphaned };
  }
  // An expired lease has given its holder all the time there is.
  const grace = orphaned === "expired" && !hasStandby(view) ? 0 : graceMs;
  return now - orphanedSince(seat) >= grace ? { kind: "remove", seat, how: orphaned } : undefined;
}

/**
 * True of a holder that beats although its registration is gone: a lease may end that was renewed
 * (etcd-io/etcd#15247). It has the time of a suspect to register anew.
 */
function mayReturn({ view, now, limits, beliefOf, orphanedSince }: SeatSituation, seat: Seat): boolean {
  const { silenceMs, refuteMs } = limits;
  const belief = beliefOf(seat.holder);
  const isHeard = belief.kind === "alive" && now - belief.at < silenceMs;
  return isHeard && !view.members.has(seat.holder.id) && now - orphanedSince(seat) < silenceMs + refuteMs;
}

function planSuspect(situation: SeatSituation, seat: Seat, haveSeat: boolean): SeatAction | undefined {
  const { view, me, now, limits, graceMs, beliefOf, isProtected } = situation;
  if (isProtected(seat)) return undefined;
  // Who has a seat gives the standbys their time first.
  const patience = haveSeat ? { ...limits, silenceMs: limits.silenceMs + graceMs } : limits;
  const verdict = judge(beliefOf(seat.holder), now, patience);
  const challenge = view.challenges.get(seat.holder.id);
  if (verdict === "challenge") {
    return challenge === undefined ? { kind: "challenge", suspect: seat.holder } : undefined;
  }
  if (verdict !== "take" || challenge?.by !== me.incarnation) return undefined;
  const kind = haveSeat || seat.state === "leaving" ? "remove" : "adopt";
  return { kind, seat, how: "suspected", challenge };
}

function hasStandby(view: FleetView): boolean {
  return [...view.members.values()].some(
    (member) => member.role === "standby" && !member.draining && seatOf(view, member) === undefined,
  );
}

function freeNumber(view: FleetView): SeatNumber {
  const taken = new Set(view.seats.map(({ number }) => number));
  let number = 1;
  while (taken.has(number)) number += 1;
  return number;
}
