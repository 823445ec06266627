/** Which seats count: those that come up together join together, one that goes leaves at once. */
import { expect, it } from "vitest";
import type { SeatNumber } from "../../../src/coordination/ring.ts";
import { SettledRing } from "../../../src/coordination/settled-ring.ts";

function ringSeenWith(seats: readonly SeatNumber[]): SettledRing {
  const ring = new SettledRing(500);
  ring.inForce(seats, -1000);
  return ring;
}

it("lets seats that come up one after the other join the ring together", () => {
  const ring = ringSeenWith([]);

  expect(ring.inForce([1], 0)).toEqual([]);
  expect(ring.inForce([1, 2], 400)).toEqual([]);
  expect(ring.inForce([2, 1, 3], 800)).toEqual([]);
  expect(ring.inForce([1, 2, 3], 1299)).toEqual([]);
  expect(ring.isSettling).toBe(true);
  expect(ring.inForce([1, 2, 3], 1300)).toEqual([1, 2, 3]);
  expect(ring.isSettling).toBe(false);
});

it("takes a seat that is gone off the ring at once, and waits anew when it comes back", () => {
  const ring = ringSeenWith([]);
  ring.inForce([1, 2], 0);

  expect(ring.inForce([1, 2], 500)).toEqual([1, 2]);
  expect(ring.inForce([2], 501)).toEqual([2]);
  expect(ring.inForce([1, 2], 600)).toEqual([2]);
  expect(ring.inForce([1, 2], 1100)).toEqual([1, 2]);
});

it("does not wait for ever where a new seat follows another", () => {
  const ring = ringSeenWith([]);
  const seats = [1];

  for (let now = 0; now < 2500; now += 250) {
    expect(ring.inForce(seats, now)).toEqual([]);
    seats.push(seats.length + 1);
  }
  expect(ring.inForce(seats, 2500)).toHaveLength(11);
});

it("counts the seats that were there before it looked at once, and only newer ones as new", () => {
  const ring = ringSeenWith([1, 2]);

  expect(ring.isSettling).toBe(false);
  expect(ring.inForce([1, 2, 3], 0)).toEqual([1, 2]);
  expect(ring.inForce([1, 2, 3], 500)).toEqual([1, 2, 3]);
});
