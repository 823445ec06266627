/** Moves of symbols as they stand in the key store: proposed, carried out by a pin, or rolled back. Pure. */
import { assign } from "./assign.ts";
import type { FleetKeys, FleetView, Incarnation } from "./fleet-view.ts";
import { isSame, ringSeats, seatOf } from "./fleet-view.ts";
import type { Move } from "./hot-spots.ts";
import type { Condition, KeyEntry, Write } from "./key-store.ts";

/** `moved`: the symbol is pinned to its new seat. `rolledBack`: it did not take it over. */
export type MoveState = "proposed" | "moved" | "rolledBack";

/** Whose word a pin is: what a person has put somewhere is not moved for being hot. */
export type Mover = "hand" | "hotSpots";

export interface MoveRecord extends Move {
  readonly state: MoveState;
  /** ms since 1970. */
  readonly at: number;
  /** The store's revision, for compare-and-swap. */
  readonly revision: number;
}

/** A conditional write that carries something out; it is lost where anything that it follows from has changed. */
export interface PlannedWrite {
  readonly conditions: readonly Condition[];
  readonly writes: readonly Write[];
}

/** What a plan follows from. */
export interface MoveScene {
  readonly keys: FleetKeys;
  readonly entries: ReadonlyMap<string, KeyEntry>;
  readonly view: FleetView;
}

/** Every move that is remembered. A value that nobody of ours wrote is left out. */
export function readMoves(keys: FleetKeys, entries: ReadonlyMap<string, KeyEntry>): readonly MoveRecord[] {
  const moves: MoveRecord[] = [];
  for (const { key, value, revision } of entries.values()) {
    if (!key.startsWith(keys.moves)) continue;
    const record = parse(value);
    if (isRecord(record)) moves.push({ ...record, symbol: key.slice(keys.moves.length), revision });
  }
  return moves;
}

/** The symbols that a person has put on a seat. */
export function pinnedByHand(keys: FleetKeys, entries: ReadonlyMap<string, KeyEntry>): ReadonlySet<string> {
  const pins = [...entries.values()].filter(({ key }) => key.startsWith(keys.pins));
  const byHand = pins.filter(({ value }) => moverOf(value) !== "hotSpots");
  return new Set(byHand.map(({ key }) => key.slice(keys.pins.length)));
}

/**
 * Pins a symbol to its new seat, for as long as the seat is there and the pin is as it was seen. `decidedBy`, where
 * given, must have its seat still: only one instance has the lowest.
 */
export function planMove(
  scene: MoveScene,
  move: Move,
  by: Mover,
  at: number,
  decidedBy?: Incarnation,
): PlannedWrite | undefined {
  const { keys, view } = scene;
  const seat = view.seats.find(({ number, state }) => number === move.to && state === "held");
  const own = decidedBy && seatOf(view, decidedBy);
  if (!seat || (decidedBy && !own)) return undefined;
  return {
    conditions: [
      ...(own ? [{ key: keys.seat(own.number), revision: own.revision }] : []),
      { key: keys.seat(seat.number), revision: seat.revision },
      seen(scene, keys.pin(move.symbol)),
      seen(scene, keys.move(move.symbol)),
    ],
    writes: [
      { kind: "put", key: keys.pin(move.symbol), value: formatPin(move.to, by) },
      { kind: "put", key: keys.move(move.symbol), value: format(move, "moved", at) },
    ],
  };
}

/** Writes a move down for a person to confirm. */
export function planProposal(scene: MoveScene, move: Move, at: number): PlannedWrite {
  const key = scene.keys.move(move.symbol);
  return {
    conditions: [seen(scene, key)],
    writes: [{ kind: "put", key, value: format(move, "proposed", at) }],
  };
}

export function planForgetting({ keys }: MoveScene, { symbol, revision }: MoveRecord): PlannedWrite {
  const key = keys.move(symbol);
  return { conditions: [{ key, revision }], writes: [{ kind: "delete", key }] };
}

/**
 * Takes the pin away with which `symbol` left the seat of `me`, so that it is assigned to this seat again; undefined where
 * no pin keeps it elsewhere, or `me` has no seat.
 */
export function planRollBack(
  scene: MoveScene,
  symbol: string,
  symbols: readonly string[],
  me: Incarnation,
  at: number,
): PlannedWrite | undefined {
  const { keys, view } = scene;
  const own = seatOf(view, me);
  const to = view.pins.get(symbol);
  if (!own || own.state !== "held" || to === undefined || to === own.number) return undefined;
  const pins = new Map([...view.pins].filter(([pinned]) => pinned !== symbol));
  const home = assign(symbols, ringSeats(view), pins).get(symbol);
  const key = keys.pin(symbol);
  const by = moverOf(scene.entries.get(key)?.value ?? "");
  const move = { symbol, from: own.number, to };
  return {
    conditions: [
      { key: keys.seat(own.number), revision: own.revision },
      seen(scene, key),
      seen(scene, keys.move(symbol)),
    ],
    writes: [
      home === own.number ? { kind: "delete", key } : { kind: "put", key, value: formatPin(own.number, by) },
      { kind: "put", key: keys.move(symbol), value: format(move, "rolledBack", at) },
    ],
  };
}

/** True where a pin keeps the symbol on a seat that `me` does not hold. */
export function isPinnedAway(view: FleetView, symbol: string, me: Incarnation): boolean {
  const pinned = view.pins.get(symbol);
  if (pinned === undefined) return false;
  const holder = view.seats.find(({ number }) => number === pinned)?.holder;
  return holder === undefined || !isSame(holder, me);
}

function formatPin(seat: number, by: Mover): string {
  return JSON.stringify({ seat, by });
}

function moverOf(pin: string): Mover {
  const record = parse(pin);
  const isHot = typeof record === "object" && record !== null && Reflect.get(record, "by") === "hotSpots";
  return isHot ? "hotSpots" : "hand";
}

function seen({ entries }: MoveScene, key: string): Condition {
  return { key, revision: entries.get(key)?.revision ?? 0 };
}

function format({ from, to }: Move, state: MoveState, at: number): string {
  return JSON.stringify({ from, to, state, at });
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function isRecord(record: unknown): record is Omit<MoveRecord, "symbol" | "revision"> {
  if (typeof record !== "object" || record === null) return false;
  const numbers = ["from", "to", "at"].every((key) => typeof Reflect.get(record, key) === "number");
  const state: unknown = Reflect.get(record, "state");
  return numbers && (state === "proposed" || state === "moved" || state === "rolledBack");
}
