/** The fleet as the key store shows it: members, seats, pins, challenges; and the keys that they are kept under. */
import type { KeyEntry } from "./key-store.ts";
import type { Pins } from "./assign.ts";
import type { CanaryReport } from "./roll-out.ts";
import { isCanaryReport } from "./roll-out.ts";
import type { InstanceLoad } from "./load-report.ts";
import type { SeatNumber } from "./ring.ts";

export type Role = "active" | "standby";

/** One run of one process: a restarted instance is another incarnation of the same id. */
export interface Incarnation {
  readonly id: string;
  readonly incarnation: string;
}

/** A registered instance; its key lives under its lease. */
export interface Member extends Incarnation {
  readonly role: Role;
  /** Where its heartbeats are, `host:port`. */
  readonly address: string;
  readonly version: string;
  /** How many symbols it trades. */
  readonly symbols: number;
  /** Version of the fleet's config that its bots run, but for those of a canary. */
  readonly config: number;
  /** While a newer version is tried: how that goes here. */
  readonly canary?: CanaryReport;
  /** Set while it gives its symbols away, and after. */
  readonly draining: boolean;
  /** The seat that it believes to hold; who has slept or died says so for as long as it is registered. */
  readonly seat?: SeatNumber;
  /** Other instances whose heartbeats it does not hear. */
  readonly unheard?: readonly string[];
  /** Why it is not fully at work. */
  readonly degraded?: string;
  /** Written by an instance, and read with `readLoad`. */
  readonly load?: InstanceLoad;
  readonly startedAt: number;
}

/** A place on the ring, and who has it. */
export interface Seat {
  readonly number: SeatNumber;
  readonly holder: Incarnation;
  /** `leaving`: off the ring; its holder still has claims to give away. */
  readonly state: "held" | "leaving";
  /** How the holder got it. */
  readonly how: SeatOrigin;
  /** Who had it before and has no seat since. */
  readonly from?: string;
  /** The store's revision, for compare-and-swap. */
  readonly revision: number;
}

/** `drained`: it was added because the last instance on the ring left it in order. */
export type SeatOrigin = "new" | "drained" | "expired" | "crashed" | "suspected" | "returned";

/** Somebody hears nothing of `suspect` and takes its seat unless this is deleted in time. */
export interface Challenge {
  readonly suspect: Incarnation;
  readonly by: string;
  readonly revision: number;
}

export interface FleetView {
  readonly members: ReadonlyMap<string, Member>;
  readonly seats: readonly Seat[];
  readonly pins: Pins;
  readonly challenges: ReadonlyMap<string, Challenge>;
  /** Incarnations that an operator wants drained, by instance. */
  readonly drains: ReadonlyMap<string, string>;
}

export interface FleetKeys {
  readonly prefix: string;
  member(id: string): string;
  seat(number: SeatNumber): string;
  pin(symbol: string): string;
  readonly pins: string;
  /** What became of the last move of a symbol, or is proposed. */
  move(symbol: string): string;
  readonly moves: string;
  challenge(id: string): string;
  drain(id: string): string;
}

/** `fleet` is its name, a part of every key. */
export function fleetKeys(fleet: string): FleetKeys {
  const prefix = `/quantmesh/${fleet}/`;
  return {
    prefix,
    member: (id) => `${prefix}instances/${id}`,
    seat: (number) => `${prefix}seats/${number}`,
    pin: (symbol) => `${prefix}pins/${symbol}`,
    pins: `${prefix}pins/`,
    move: (symbol) => `${prefix}moves/${symbol}`,
    moves: `${prefix}moves/`,
    challenge: (id) => `${prefix}challenges/${id}`,
    drain: (id) => `${prefix}drains/${id}`,
  };
}

/** What `entries` say. A value that nobody of ours wrote is left out: it must not bring the fleet down. */
export function readFleet(keys: FleetKeys, entries: ReadonlyMap<string, KeyEntry>): FleetView {
  const members = new Map<string, Member>();
  const seats: Seat[] = [];
  const pins = new Map<string, SeatNumber>();
  const challenges = new Map<string, Challenge>();
  const drains = new Map<string, string>();
  for (const { key, value, revision } of entries.values()) {
    if (!key.startsWith(keys.prefix)) continue;
    const [kind, ...rest] = key.slice(keys.prefix.length).split("/");
    const name = rest.join("/");
    const record = parse(value);
    if (kind === "instances" && isMember(record)) {
      const unheard = Array.isArray(record.unheard) ? record.unheard.map(String) : [];
      members.set(name, { ...record, unheard, id: name });
    }
    if (kind === "seats" && isSeat(record) && /^[1-9]\d*$/.test(name)) {
      seats.push({ ...record, number: Number(name), revision });
    }
    if (kind === "pins" && hasNumber(record, "seat")) pins.set(name, record.seat);
    if (kind === "challenges" && isChallenge(record)) challenges.set(name, { ...record, revision });
    if (kind === "drains" && hasText(record, "incarnation")) drains.set(name, record.incarnation);
  }
  seats.sort((a, b) => a.number - b.number);
  return { members, seats, pins, challenges, drains };
}

export function formatSeat({ holder, state, how, from }: Omit<Seat, "number" | "revision">): string {
  return JSON.stringify({ holder, state, how, ...(from === undefined ? {} : { from }) });
}

/** What the instances say of the bots that try a newer config. */
export function canaryReports(view: FleetView): readonly CanaryReport[] {
  return [...view.members.values()].flatMap(({ canary }) => (isCanaryReport(canary) ? [canary] : []));
}

/** Names one run of one instance, as the holder of its claims. */
export function holderName({ id, incarnation }: Incarnation): string {
  return `${id} ${incarnation}`;
}

export function isSame(a: Incarnation, b: Incarnation): boolean {
  return a.id === b.id && a.incarnation === b.incarnation;
}

/** The seat that `instance` holds. */
export function seatOf(view: FleetView, instance: Incarnation): Seat | undefined {
  return view.seats.find(({ holder }) => isSame(holder, instance));
}

/** True while `instance` is registered, in this incarnation. */
export function isRegistered(view: FleetView, instance: Incarnation): boolean {
  return view.members.get(instance.id)?.incarnation === instance.incarnation;
}

/** True where an instance believes to hold a seat that is another's, or gone: it has said nothing since. */
export function isReplaced(view: FleetView, member: Member): boolean {
  return member.seat !== undefined && !member.draining && seatOf(view, member) === undefined;
}

/** The seats that symbols are spread over. */
export function ringSeats(view: FleetView): readonly SeatNumber[] {
  return view.seats.filter(({ state }) => state === "held").map(({ number }) => number);
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function isMember(record: unknown): record is Member {
  return hasText(record, "incarnation") && hasText(record, "address") && hasText(record, "role");
}

function isSeat(record: unknown): record is Omit<Seat, "number" | "revision"> {
  return hasText(record, "state") && hasText(record, "how") && isNamed(record, "holder");
}

function isChallenge(record: unknown): record is Omit<Challenge, "revision"> {
  return hasText(record, "by") && isNamed(record, "suspect");
}

/** True where the field names one run of one instance. */
function isNamed(record: object, key: string): boolean {
  const named: unknown = Reflect.get(record, key);
  return hasText(named, "id") && hasText(named, "incarnation");
}

function hasText<Key extends string>(record: unknown, key: Key): record is Readonly<Record<Key, string>> {
  return typeof record === "object" && record !== null && typeof Reflect.get(record, key) === "string";
}

function hasNumber<Key extends string>(record: unknown, key: Key): record is Readonly<Record<Key, number>> {
  return typeof record === "object" && record !== null && typeof Reflect.get(record, key) === "number";
}
