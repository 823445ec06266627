/** The fleet as its keys tell it; what nobody of ours has written is not believed. */
import { expect, it } from "vitest";
import { fleetKeys, formatSeat, readFleet, ringSeats, seatOf } from "../../../src/coordination/fleet-view.ts";

const keys = fleetKeys("demo");
const A = { id: "a", incarnation: "1-a" };
const MEMBER = {
  incarnation: "1-a",
  role: "active",
  address: "h:1",
  version: "1",
  symbols: 2,
  config: 1,
  draining: false,
};

function read(values: Readonly<Record<string, string>>): ReturnType<typeof readFleet> {
  const entries = Object.entries(values).map(
    ([key, value], index) => [key, { key, value, revision: index + 1 }] as const,
  );
  return readFleet(keys, new Map(entries));
}

it("reads members, seats in order, pins of symbols with a slash, challenges and drains", () => {
  const view = read({
    [keys.seat(10)]: formatSeat({ holder: A, state: "leaving", how: "new" }),
    [keys.seat(2)]: formatSeat({
      holder: { id: "b", incarnation: "1-b" },
      state: "held",
      how: "crashed",
      from: "c",
    }),
    [keys.member("a")]: JSON.stringify(MEMBER),
    [keys.pin("BTC/USDT")]: JSON.stringify({ seat: 2 }),
    [keys.challenge("a")]: JSON.stringify({ suspect: A, by: "1-b" }),
    [keys.drain("a")]: JSON.stringify({ incarnation: "1-a" }),
  });

  expect(view.seats.map(({ number, revision, from }) => [number, revision, from])).toEqual([
    [2, 2, "c"],
    [10, 1, undefined],
  ]);
  expect(ringSeats(view)).toEqual([2]);
  expect(seatOf(view, A)?.number).toBe(10);
  expect(seatOf(view, { ...A, incarnation: "2-a" })).toBeUndefined();
  expect(view.members.get("a")).toMatchObject({ id: "a", address: "h:1" });
  expect(view.pins).toEqual(new Map([["BTC/USDT", 2]]));
  expect(view.challenges.get("a")).toEqual({ suspect: A, by: "1-b", revision: 5 });
  expect(view.drains).toEqual(new Map([["a", "1-a"]]));
});

it("leaves out what is no record, has fields missing, or is another fleet's", () => {
  const view = read({
    [keys.member("x")]: "not JSON",
    [keys.member("y")]: JSON.stringify({ incarnation: "1-y" }),
    [keys.seat(1)]: "null",
    [keys.seat(2)]: JSON.stringify({ state: "held", how: "new", holder: { id: "a" } }),
    [`${keys.prefix}seats/first`]: formatSeat({ holder: A, state: "held", how: "new" }),
    [keys.pin("BTC/USDT")]: JSON.stringify({ seat: "2" }),
    [keys.challenge("a")]: JSON.stringify({ by: "1-b" }),
    [keys.drain("a")]: "7",
    [fleetKeys("other").member("z")]: JSON.stringify(MEMBER),
  });

  expect(view).toEqual({
    members: new Map(),
    seats: [],
    pins: new Map(),
    challenges: new Map(),
    drains: new Map(),
  });
});
