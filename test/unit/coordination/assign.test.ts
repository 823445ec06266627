/** The ring: balanced, stable, and the same on every instance. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assign, seatCapacity } from "../../../src/coordination/assign.ts";
import { hash32 } from "../../../src/coordination/ring.ts";
import { freshSeed, scaled } from "../../support/scale.ts";

const NAME_SETS = 20;
const seed = freshSeed();

const seatsUpTo = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => index + 1);

/** Symbols of a made-up exchange. */
function nameSet(set: number, count: number): readonly string[] {
  return Array.from(
    { length: count },
    (_, index) => `${hash32(`${set} ${index}`).toString(36).toUpperCase()}/USDT`,
  );
}

function mostLoaded(assigned: ReadonlyMap<string, number>): number {
  const load = new Map<number, number>();
  for (const seat of assigned.values()) load.set(seat, (load.get(seat) ?? 0) + 1);
  return Math.max(...load.values());
}

/** The share of all symbols that changed between two seats which are in both assignments. */
function movedBetweenOthers(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  changed: number,
): number {
  const moved = [...before].filter(
    ([symbol, seat]) => seat !== changed && after.get(symbol) !== changed && after.get(symbol) !== seat,
  );
  return moved.length / before.size;
}

describe(`assign, seed ${seed}`, () => {
  for (const seats of [3, 10, 100]) {
    for (const symbols of [1000, 4050]) {
      it(`keeps ${symbols} symbols on ${seats} seats balanced and in place when a seat joins or leaves`, () => {
        let worstMoved = 0;
        let worstLoad = 0;
        let modulo = 1;
        for (let set = 0; set < NAME_SETS; set += 1) {
          const names = nameSet(set, symbols);
          const before = assign(names, seatsUpTo(seats));
          expect(before.size).toBe(new Set(names).size);
          worstLoad = Math.max(worstLoad, mostLoaded(before) / (before.size / seats));
          const leaving = (hash32(`${set} leaves`) % seats) + 1;
          const left = assign(
            names,
            seatsUpTo(seats).filter((seat) => seat !== leaving),
          );
          const joined = assign(names, seatsUpTo(seats + 1));
          worstMoved = Math.max(
            worstMoved,
            movedBetweenOthers(before, left, leaving),
            movedBetweenOthers(before, joined, seats + 1),
          );
          const stays = names.filter((name) => hash32(name) % seats === hash32(name) % (seats + 1));
          modulo = Math.min(modulo, 1 - stays.length / symbols);
        }
        console.log(
          `${seats} seats × ${symbols} symbols, worst of ${NAME_SETS}: moved ${(100 * worstMoved).toFixed(2)} %, ` +
            `max/mean ${worstLoad.toFixed(3)} (modulo moves at least ${(100 * modulo).toFixed(0)} %)`,
        );
        expect(worstMoved).toBeLessThanOrEqual(0.02);
        expect(worstLoad).toBeLessThanOrEqual(1.25);
      });
    }
  }

  it("finds the same for any order of symbols, seats and pins, and never fills a seat above its capacity", () => {
    const symbol = fc.stringMatching(/^[A-Z]{2,5}\/USDT$/);
    const scenario = fc.record({
      symbols: fc.uniqueArray(symbol, { minLength: 1, maxLength: 60 }),
      seats: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 }),
      shuffle: fc.integer(),
    });
    fc.assert(
      fc.property(scenario, ({ symbols, seats, shuffle }) => {
        const pins = new Map(symbols.slice(0, 2).map((name) => [name, 1 + (hash32(name) % 30)]));
        const mixed = <Item>(items: readonly Item[]): readonly Item[] =>
          items.toSorted((a, b) => hash32(`${shuffle} ${String(a)}`) - hash32(`${shuffle} ${String(b)}`));

        const one = assign(symbols, seats, pins);
        const other = assign(mixed(symbols), mixed(seats), new Map(mixed([...pins])));

        expect(new Map([...other].sort())).toEqual(new Map([...one].sort()));
        expect(one.size).toBe(symbols.length);
        for (const [name, seat] of pins) if (seats.includes(seat)) expect(one.get(name)).toBe(seat);
        const unpinned = assign(symbols, seats);
        expect(mostLoaded(unpinned)).toBeLessThanOrEqual(seatCapacity(symbols.length, seats.length));
      }),
      { seed, numRuns: scaled(2000) },
    );
  });

  it("moves no symbol but those whose pin changes, even onto a seat that is full", () => {
    const scenario = fc.record({
      symbols: fc.uniqueArray(fc.stringMatching(/^[A-Z]{2,5}\/USDT$/), { minLength: 1, maxLength: 60 }),
      seats: fc.integer({ min: 1, max: 6 }).map(seatsUpTo),
      // Onto few seats, so that they are filled far above the mean; 7 and 8 do not exist.
      before: fc.array(fc.tuple(fc.nat(59), fc.integer({ min: 1, max: 7 })), { maxLength: 30 }),
      change: fc.tuple(fc.nat(59), fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined })),
    });
    let overfull = 0;
    fc.assert(
      fc.property(scenario, ({ symbols, seats, before, change: [index, seat] }) => {
        const nameOf = (place: number): string => symbols[place % symbols.length] ?? "";
        const pins = new Map(before.map(([place, pinned]) => [nameOf(place), pinned]));
        const changed = new Map(pins);
        if (seat === undefined) changed.delete(nameOf(index));
        else changed.set(nameOf(index), seat);

        const [one, other] = [assign(symbols, seats, pins), assign(symbols, seats, changed)];

        const moved = symbols.filter((symbol) => one.get(symbol) !== other.get(symbol));
        expect(moved.filter((symbol) => symbol !== nameOf(index))).toEqual([]);
        const capacity = seatCapacity(symbols.length, seats.length);
        for (const number of seats) {
          const load = symbols.filter((symbol) => other.get(symbol) === number).length;
          const pinned = [...changed].filter(([, to]) => to === number).length;
          expect(load).toBeLessThanOrEqual(capacity + pinned);
          if (load > capacity) overfull += 1;
        }
      }),
      { seed, numRuns: scaled(2000) },
    );
    expect(overfull).toBeGreaterThan(0);
  });

  it("gives nothing to anybody where there is no seat, and ignores pins to seats that do not exist", () => {
    expect(assign(["BTC/USDT"], [])).toEqual(new Map());
    expect(assign(["BTC/USDT"], [2], new Map([["BTC/USDT", 7]]))).toEqual(new Map([["BTC/USDT", 2]]));
  });
});
