/** Who looks for hot spots, what becomes of a move in the key store, and what is forgotten of it. */
import { beforeEach, describe, expect, it } from "vitest";
import { assign } from "../../../src/coordination/assign.ts";
import type { FleetView, Seat } from "../../../src/coordination/fleet-view.ts";
import { fleetKeys, formatSeat, readFleet, seatOf } from "../../../src/coordination/fleet-view.ts";
import { HotSpotKeeper } from "../../../src/coordination/hot-spot-keeper.ts";
import type { Condition, KeyEntry, Write } from "../../../src/coordination/key-store.ts";
import type { MoveScene, PlannedWrite } from "../../../src/coordination/moves.ts";
import { pinnedByHand, planMove, planRollBack, readMoves } from "../../../src/coordination/moves.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import type { Instant } from "../../../src/domain/ids.ts";
import { VirtualClock } from "../../../src/exchange/sim/virtual-clock.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";

const KEYS = fleetKeys("test");
const HOT = "HOT/USDT";
const RULES = { threshold: 1.5, windowMs: 10_000, coolDownMs: 300_000, gain: 0.05, leastLoad: 10 };
const named = (id: string) => ({ id, incarnation: `1-${id}` });

/** The keys of a fleet with the semantics of the key store: revisions that grow, and all conditions or nothing. */
class Keys {
  readonly entries = new Map<string, KeyEntry>();
  revision = 0;
  isAway = false;

  put(key: string, value: object): void {
    this.revision += 1;
    this.entries.set(key, { key, value: JSON.stringify(value), revision: this.revision });
  }

  async write(conditions: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    if (this.isAway) throw new QuantmeshError("COORDINATION_UNAVAILABLE", "etcd does not answer");
    if (conditions.some(({ key, revision }) => (this.entries.get(key)?.revision ?? 0) !== revision))
      return false;
    for (const write of writes) {
      if (write.kind === "put") this.put(write.key, JSON.parse(write.value) as object);
      else this.entries.delete(write.key);
    }
    return true;
  }

  carryOut(plan: PlannedWrite | undefined): Promise<boolean> {
    return plan ? this.write(plan.conditions, plan.writes) : Promise.resolve(false);
  }

  get view(): FleetView {
    return readFleet(KEYS, this.entries);
  }

  get scene(): MoveScene {
    return { keys: KEYS, entries: new Map(this.entries), view: this.view };
  }

  /** An instance on a seat, with loads by symbol. */
  seat(number: number, id: string, loads: Readonly<Record<string, number>>): void {
    this.entries.set(KEYS.seat(number), {
      key: KEYS.seat(number),
      value: formatSeat({ holder: named(id), state: "held", how: "new" }),
      revision: (this.revision += 1),
    });
    this.load(id, loads);
  }

  load(id: string, hottest: Readonly<Record<string, number>> | undefined): void {
    const total = Object.values(hottest ?? {}).reduce((sum, load) => sum + load, 0);
    const load = hottest && { total, hottest };
    this.put(KEYS.member(id), { ...named(id), role: "active", address: "127.0.0.1:1", load });
  }
}

let keys: Keys;
let clock: VirtualClock;
let lines: KeptLine[];

const keeperOf = (id: string, mode: "off" | "propose" | "automatic" = "automatic"): HotSpotKeeper =>
  new HotSpotKeeper({
    coordinator: {
      keys: KEYS,
      get entries() {
        return keys.entries;
      },
      get view() {
        return keys.view;
      },
      get seat(): Seat | undefined {
        return seatOf(keys.view, named(id));
      },
      me: named(id),
      write: (conditions, writes) => keys.write(conditions, writes),
    },
    clock,
    log: logInto(lines),
    mode,
    rules: RULES,
  });

const look = async (seconds: number, ...keepers: readonly HotSpotKeeper[]): Promise<void> => {
  for (let second = 0; second < seconds; second += 1) {
    await Promise.all(keepers.map((keeper) => keeper.look()));
    clock.advanceTo((clock.now() + 1000) as Instant);
  }
};
const moves = () => readMoves(KEYS, keys.entries).map(({ revision: _, at: __, ...move }) => move);

beforeEach(() => {
  keys = new Keys();
  clock = new VirtualClock(1_700_000_000_000 as Instant);
  lines = [];
  keys.seat(1, "a", { "A/USDT": 3 });
  keys.seat(2, "b", { [HOT]: 100, "B/USDT": 20 });
  keys.seat(3, "c", { "C/USDT": 4 });
});

describe("automatic mode", () => {
  it("pins the hot symbol to its new seat, by one instance alone", async () => {
    await look(30, keeperOf("a"), keeperOf("b"), keeperOf("c"));

    expect(keys.view.pins).toEqual(new Map([[HOT, 1]]));
    expect(moves()).toEqual([{ symbol: HOT, from: 2, to: 1, state: "moved" }]);
    expect(lines.filter(({ event }) => event === "hot_spot.moved")).toHaveLength(1);
  });

  it("goes on at the next seat where the instance with the lowest is gone, and counts the window anew", async () => {
    const b = keeperOf("b");
    await look(9, keeperOf("a"), b);
    keys.entries.delete(KEYS.seat(1));
    await look(10, b);
    expect(keys.view.pins.size).toBe(0);
    await look(1, b);

    expect(keys.view.pins).toEqual(new Map([[HOT, 3]]));
  });

  it("does nothing while the load of a seat is not known, is nonsense, or is of an earlier run", async () => {
    for (const spoil of [
      () => keys.load("c", undefined),
      () => keys.load("c", { "C/USDT": -1 }),
      () =>
        keys.put(KEYS.member("c"), {
          ...named("c"),
          incarnation: "2-c",
          role: "active",
          address: "x",
          load: { total: 4, hottest: {} },
        }),
      () => keys.entries.delete(KEYS.member("c")),
    ]) {
      keys.load("c", { "C/USDT": 4 });
      spoil();
      await look(30, keeperOf("a"));
      expect(keys.view.pins.size).toBe(0);
    }
  });

  it("loses to whoever has changed the pin meanwhile", async () => {
    const { scene } = keys;
    keys.put(KEYS.pin(HOT), { seat: 3 });

    const move = { symbol: HOT, from: 2, to: 1 };
    expect(await keys.carryOut(planMove(scene, move, "hotSpots", 1, named("a")))).toBe(false);
    expect(keys.view.pins).toEqual(new Map([[HOT, 3]]));
  });

  it("loses where its own seat, or the seat that is to get the symbol, has changed hands", async () => {
    for (const [number, owner] of [
      [1, "a"],
      [3, "c"],
    ] as const) {
      const plan = planMove(keys.scene, { symbol: HOT, from: 2, to: 3 }, "hotSpots", 1, named("a"));
      expect(plan).toBeDefined();
      keys.seat(number, "d", {});
      expect(await keys.carryOut(plan)).toBe(false);
      keys.seat(number, owner, {});
    }
    expect(planMove(keys.scene, { symbol: HOT, from: 2, to: 9 }, "hand", 1)).toBeUndefined();
  });

  it("leaves a symbol that a person has put on the hot seat", async () => {
    keys.put(KEYS.pin(HOT), { seat: 2 });
    await look(60, keeperOf("a"));

    expect(keys.view.pins.get(HOT)).toBe(2);
    expect([...pinnedByHand(KEYS, keys.entries)]).toEqual([HOT]);
  });

  it("goes on after etcd was away", async () => {
    const a = keeperOf("a");
    keys.isAway = true;
    await look(20, a);
    keys.isAway = false;
    await look(1, a);

    expect(keys.view.pins).toEqual(new Map([[HOT, 1]]));
    expect(lines.some(({ event }) => event === "hot_spot.not_written")).toBe(true);
  });
});

describe("propose mode", () => {
  it("writes one proposal down and moves nothing, until the seat is cool again", async () => {
    const a = keeperOf("a", "propose");
    await look(60, a);
    expect(moves()).toEqual([{ symbol: HOT, from: 2, to: 1, state: "proposed" }]);
    expect(keys.view.pins.size).toBe(0);
    expect(lines.filter(({ event }) => event === "hot_spot.proposed")).toHaveLength(1);

    keys.load("b", { [HOT]: 4 });
    await look(1, a);
    expect(moves()).toEqual([]);
  });
});

describe("what is remembered of a move", () => {
  it("is forgotten after twelve cool-downs, in every mode, while the pin stays", async () => {
    for (const mode of ["off", "propose", "automatic"] as const) {
      await keys.carryOut(planMove(keys.scene, { symbol: "A/USDT", from: 1, to: 3 }, "hand", clock.now()));
      keys.load("b", { [HOT]: 1 });
      const a = keeperOf("a", mode);
      await look(12 * 300, a);
      expect(moves()).toHaveLength(1);
      await look(1, a);
      expect(moves()).toEqual([]);
      expect(keys.view.pins.get("A/USDT")).toBe(3);
    }
  });
});

describe("a roll-back", () => {
  const symbols = ["A/USDT", "B/USDT", "C/USDT", HOT];

  it("takes the pin away or puts one to the old owner's seat, so that the symbol is assigned to it", async () => {
    for (const id of ["a", "b", "c"]) {
      const own = seatOf(keys.view, named(id))?.number ?? 0;
      const to = own === 1 ? 2 : 1;
      keys.put(KEYS.pin(HOT), { seat: to, by: "hotSpots" });

      expect(await keys.carryOut(planRollBack(keys.scene, HOT, symbols, named(id), 7))).toBe(true);

      expect(moves()).toEqual([{ symbol: HOT, from: own, to, state: "rolledBack" }]);
      expect(assign(symbols, [1, 2, 3], keys.view.pins).get(HOT)).toBe(own);
      expect(pinnedByHand(KEYS, keys.entries).size).toBe(0);
    }
  });

  it("is none without a pin, with a pin to one's own seat, or without a seat", () => {
    expect(planRollBack(keys.scene, HOT, symbols, named("b"), 1)).toBeUndefined();
    keys.put(KEYS.pin(HOT), { seat: 2 });
    expect(planRollBack(keys.scene, HOT, symbols, named("b"), 1)).toBeUndefined();
    expect(planRollBack(keys.scene, HOT, symbols, named("z"), 1)).toBeUndefined();
  });

  it("loses where the pin was changed meanwhile", async () => {
    keys.put(KEYS.pin(HOT), { seat: 1 });
    const plan = planRollBack(keys.scene, HOT, symbols, named("b"), 1);
    keys.put(KEYS.pin(HOT), { seat: 3 });

    expect(await keys.carryOut(plan)).toBe(false);
    expect(keys.view.pins.get(HOT)).toBe(3);
  });
});
