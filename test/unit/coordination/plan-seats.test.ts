/** What one instance does about seats: each rule of the plan as one situation. */
import { describe, expect, it } from "vitest";
import type { Challenge, FleetView, Member, Seat } from "../../../src/coordination/fleet-view.ts";
import type { SeatSituation } from "../../../src/coordination/plan-seats.ts";
import { planSeats } from "../../../src/coordination/plan-seats.ts";
import type { Belief } from "../../../src/coordination/suspicion.ts";
import { UNHEARD } from "../../../src/coordination/suspicion.ts";

const ME = { id: "me", incarnation: "1-me" };
const LIMITS = { silenceMs: 300, refuteMs: 200, trustMs: 1000, longestTrustMs: 10_000 };
const NOW = 100_000;

const member = (id: string, more: Partial<Member> = {}): Member => ({
  id,
  incarnation: `1-${id}`,
  role: "active",
  address: "127.0.0.1:1",
  version: "1",
  symbols: 0,
  config: 0,
  draining: false,
  startedAt: 0,
  ...more,
});
const seat = (number: number, holder: string, more: Partial<Seat> = {}): Seat => ({
  number,
  holder: { id: holder, incarnation: `1-${holder}` },
  state: "held",
  how: "new",
  revision: 10 + number,
  ...more,
});

interface Scene {
  readonly members: readonly Member[];
  readonly seats?: readonly Seat[];
  readonly challenges?: readonly Challenge[];
  readonly beliefs?: Readonly<Record<string, Belief>>;
}

function plan(scene: Scene, more: Partial<SeatSituation> = {}): ReturnType<typeof planSeats> {
  const view: FleetView = {
    members: new Map(scene.members.map((one) => [one.id, one])),
    seats: scene.seats ?? [],
    pins: new Map(),
    challenges: new Map((scene.challenges ?? []).map((one) => [one.suspect.id, one])),
    drains: new Map(),
  };
  return planSeats({
    view,
    me: ME,
    role: "active",
    draining: false,
    now: NOW,
    limits: LIMITS,
    graceMs: 1000,
    beliefOf: ({ id }) => scene.beliefs?.[id] ?? UNHEARD,
    lastOnRing: undefined,
    orphanedSince: () => NOW,
    isProtected: () => false,
    ...more,
  });
}

const alive = (ago: number): Belief => ({ kind: "alive", at: NOW - ago });
const crashed: Belief = { kind: "dead", how: "crashed", at: NOW };

describe("planSeats", () => {
  it("adds a seat with the lowest free number for an active instance, and none for a standby", () => {
    const scene = { members: [member("me"), member("a"), member("c")], seats: [seat(1, "a"), seat(3, "c")] };

    expect(plan(scene)).toEqual([{ kind: "create", seat: 2 }]);
    expect(plan(scene, { role: "standby" })).toEqual([]);
    expect(plan(scene, { draining: true })).toEqual([]);
  });

  it("adopts the seat of an instance whose lease expired, before it would add one", () => {
    const orphan = seat(1, "gone");

    expect(plan({ members: [member("me")], seats: [orphan] })).toEqual([
      { kind: "adopt", seat: orphan, how: "expired" },
    ]);
  });

  it("gives a holder that beats without a registration the time of a suspect to register anew", () => {
    const seats = [seat(1, "a")];
    const scene = {
      members: [member("me", { role: "standby" })],
      seats,
      beliefs: { a: alive(299) },
    };
    const adopted = [{ kind: "adopt", seat: seat(1, "a"), how: "expired" }];

    const standby = { role: "standby" } as const;

    expect(plan(scene, { ...standby, orphanedSince: () => NOW - 499 })).toEqual([]);
    expect(plan(scene, { ...standby, orphanedSince: () => NOW - 500 })).toEqual(adopted);
    expect(plan({ ...scene, beliefs: { a: alive(300) } }, standby)).toEqual(adopted);
    expect(plan({ ...scene, beliefs: { a: crashed } }, standby)).toEqual(adopted);
    // It was started anew: the run that holds the seat does not come back.
    const restarted = [...scene.members, member("a", { incarnation: "2-a" })];
    expect(plan({ ...scene, members: restarted }, standby)).toEqual(adopted);
  });

  it("leaves the seats of others alone while it is not registered itself", () => {
    expect(plan({ members: [], seats: [seat(1, "gone")] })).toEqual([]);
    expect(plan({ members: [member("me", { incarnation: "2-me" })], seats: [seat(1, "gone")] })).toEqual([]);
  });

  it("lets a standby adopt the seat of a crashed instance at once, one seat only", () => {
    const scene = {
      members: [member("me", { role: "standby" }), member("a"), member("b")],
      seats: [seat(1, "a"), seat(2, "b")],
      beliefs: { a: crashed, b: crashed },
    };

    expect(plan(scene, { role: "standby" })).toEqual([{ kind: "adopt", seat: seat(1, "a"), how: "crashed" }]);
  });

  it("takes a crashed instance's seat off the ring after the grace time, where no standby came", () => {
    const scene = {
      members: [member("me"), member("a")],
      seats: [seat(1, "me"), seat(2, "a")],
      beliefs: { a: crashed },
    };

    expect(plan(scene, { orphanedSince: () => NOW - 999 })).toEqual([]);
    expect(plan(scene, { orphanedSince: () => NOW - 1000 })).toEqual([
      { kind: "remove", seat: seat(2, "a"), how: "crashed" },
    ]);
  });

  it("takes its second seat off the ring, which a write has given it whose answer was late: nobody trades that", () => {
    const scene = {
      members: [member("me"), member("a")],
      seats: [seat(1, "me"), seat(2, "a"), seat(3, "me")],
    };

    expect(plan(scene)).toEqual([{ kind: "remove", seat: seat(3, "me"), how: "new" }]);
  });

  it("waits for no grace after an expired lease, unless a standby is there to adopt the seat", () => {
    const seats = [seat(1, "me"), seat(2, "gone")];

    expect(plan({ members: [member("me")], seats })).toEqual([
      { kind: "remove", seat: seat(2, "gone"), how: "expired" },
    ]);
    expect(plan({ members: [member("me"), member("s", { role: "standby" })], seats })).toEqual([]);
  });

  it("gives a restarted instance its own seat back", () => {
    const old = seat(1, "me", { holder: { id: "me", incarnation: "0-me" } });

    expect(plan({ members: [member("me")], seats: [old] })).toEqual([
      { kind: "adopt", seat: old, how: "returned" },
    ]);
  });

  it("keeps an active instance as a standby whose seat was taken over", () => {
    const taken = seat(1, "a", { how: "crashed", from: "me" });

    expect(plan({ members: [member("me"), member("a")], seats: [taken] })).toEqual([]);
  });

  it("removes the seat of an instance that died while it was leaving", () => {
    const leaving = seat(1, "a", { state: "leaving" });

    expect(plan({ members: [member("me")], seats: [leaving] }, { role: "standby" })).toEqual([
      { kind: "remove", seat: leaving, how: "expired" },
    ]);
  });

  describe("where the last instance leaves the ring in order", () => {
    const a = { id: "a", incarnation: "1-a" };
    const last = { role: "standby", lastOnRing: a } as const;
    const me = member("me", { role: "standby" });
    const leaving = [seat(1, "a", { state: "leaving" })];
    const draining = member("a", { draining: true });

    it("lets a standby add the seat that is missing, while the other gives its symbols away and after", () => {
      expect(plan({ members: [me, draining], seats: leaving }, last)).toEqual([
        { kind: "create", seat: 2, from: "a" },
      ]);
      expect(plan({ members: [me, draining] }, last)).toEqual([{ kind: "create", seat: 1, from: "a" }]);
      expect(plan({ members: [me] }, last)).toEqual([{ kind: "create", seat: 1, from: "a" }]);
    });

    it("lets a standby stand by where another is on the ring, or is about to join it", () => {
      const b = member("b");
      expect(plan({ members: [me, draining, b], seats: [...leaving, seat(2, "b")] }, last)).toEqual([]);
      expect(plan({ members: [me, draining, b], seats: leaving }, last)).toEqual([]);
      expect(plan({ members: [me, draining, b], seats: leaving, beliefs: { b: crashed } }, last)).toEqual([
        { kind: "create", seat: 2, from: "a" },
      ]);
    });

    it("lets a standby stand by before there ever was a ring, and while it drains itself", () => {
      expect(plan({ members: [me] }, { role: "standby" })).toEqual([]);
      expect(plan({ members: [me, draining], seats: leaving }, { ...last, draining: true })).toEqual([]);
    });
  });

  it("challenges a silent holder: a standby after the silence, others only after the grace time too", () => {
    const members = [member("me"), member("a")];
    const seats = [seat(1, "a")];
    const challenge = [{ kind: "challenge", suspect: seats[0]?.holder }];

    expect(plan({ members, seats, beliefs: { a: alive(299) } }, { role: "standby" })).toEqual([]);
    expect(plan({ members, seats, beliefs: { a: alive(300) } }, { role: "standby" })).toEqual(challenge);
    const withSeat = [seat(1, "a"), seat(2, "me")];
    expect(plan({ members, seats: withSeat, beliefs: { a: alive(1299) } })).toEqual([]);
    expect(plan({ members, seats: withSeat, beliefs: { a: alive(1300) } })).toEqual(challenge);
  });

  it("does not challenge whom somebody else has challenged, nor a seat that was just taken on suspicion", () => {
    const scene = { members: [member("me"), member("a")], seats: [seat(1, "a")], beliefs: { a: alive(400) } };
    const theirs = { suspect: { id: "a", incarnation: "1-a" }, by: "1-other", revision: 50 };

    expect(plan({ ...scene, challenges: [theirs] }, { role: "standby" })).toEqual([]);
    expect(plan(scene, { role: "standby", isProtected: () => true })).toEqual([]);
  });

  it("takes the seat of a suspect that has not refuted our challenge in time, under that challenge", () => {
    const ours = { suspect: { id: "a", incarnation: "1-a" }, by: ME.incarnation, revision: 50 };
    const challenged = (ago: number): Belief => ({ kind: "challenged", at: NOW - ago, trusts: 0 });
    const scene = { members: [member("me"), member("a")], seats: [seat(1, "a")], challenges: [ours] };

    expect(plan({ ...scene, beliefs: { a: challenged(199) } }, { role: "standby" })).toEqual([]);
    expect(plan({ ...scene, beliefs: { a: challenged(200) } }, { role: "standby" })).toEqual([
      { kind: "adopt", seat: seat(1, "a"), how: "suspected", challenge: ours },
    ]);
  });

  it("refutes a challenge of its own incarnation, even while it drains, and not one of an earlier run", () => {
    const ours = { suspect: ME, by: "1-a", revision: 50 };
    const old = { suspect: { ...ME, incarnation: "0-me" }, by: "1-a", revision: 50 };
    const scene = { members: [member("me")], seats: [seat(1, "me")] };

    expect(plan({ ...scene, challenges: [ours] }, { draining: true })).toEqual([
      { kind: "refute", challenge: ours },
    ]);
    expect(plan({ ...scene, challenges: [old] })).toEqual([]);
  });
});
