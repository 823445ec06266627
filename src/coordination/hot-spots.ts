/**
 * Finds seats that are far busier than the others, and what to move off them. Pure: loads over time go in, at most one
 * move comes out. It never flaps under constant load, because each move lowers the load of the busier of its two seats.
 */
import type { SeatNumber } from "./ring.ts";

/** The load of one seat, in the fleet's own measure. */
export interface SeatLoad {
  readonly seat: SeatNumber;
  readonly total: number;
  /** Of those symbols that cost most; all others are cheaper. */
  readonly hottest: ReadonlyMap<string, number>;
}

export interface HotSpotRules {
  /** A seat is hot from so many times the mean on, and until it is half-way back to the mean. */
  readonly threshold: number;
  /** For so long without a break before anything is moved, ms. */
  readonly windowMs: number;
  /** A symbol that was moved stays where it is for so long, ms. */
  readonly coolDownMs: number;
  /** The share by which a move must lower the load of the busier of its two seats, the moved symbol's own left out. */
  readonly gain: number;
  /** A seat with less is never hot. */
  readonly leastLoad: number;
}

export interface Move {
  readonly symbol: string;
  readonly from: SeatNumber;
  readonly to: SeatNumber;
}

/** One that was carried out, or tried. */
export interface PastMove extends Move {
  /** On the same clock as `now`, ms. */
  readonly at: number;
  readonly failed: boolean;
}

export interface LoadsAtOneMoment {
  readonly now: number;
  readonly seats: readonly SeatLoad[];
  readonly past: readonly PastMove[];
  /** Symbols that a person has put where they are. */
  readonly fixed: ReadonlySet<string>;
}

/** What was seen so far: since when each hot seat is hot, and since when a move of each symbol would help. */
export interface HotWatch {
  readonly hotSince: ReadonlyMap<SeatNumber, number>;
  readonly worthSince: ReadonlyMap<string, number>;
}

export const NOTHING_SEEN: HotWatch = { hotSince: new Map(), worthSince: new Map() };

/** For how many cool-downs a move is of interest. */
export const COOL_DOWNS_REMEMBERED = 12;
/** After a move the loads are what they were before it for as long as they are means over the window. */
const WINDOWS_AFTER_A_MOVE = 2;
/** A symbol is hot from this share of its seat's load on: of colder ones a short burst would look like a reason. */
const HOT_SHARE = 0.2;

interface Candidate {
  readonly move: Move;
  readonly load: number;
  /** The load of the busier of the two seats after the move. */
  readonly left: number;
}

/** What is hot now, and the move that helps most, where one is due. */
export function watchHotSpots(
  before: HotWatch,
  moment: LoadsAtOneMoment,
  rules: HotSpotRules,
): { readonly watch: HotWatch; readonly move: Move | undefined } {
  const hotSince = findHot(before.hotSince, moment, rules);
  const hot = moment.seats
    .filter(({ seat }) => hotSince.has(seat))
    .sort((a, b) => b.total - a.total || a.seat - b.seat);
  const candidates = hot.map((from) => findCandidates(from, moment, rules));
  const worthSince = new Map(
    candidates.flat().map(({ move: { symbol } }) => [symbol, before.worthSince.get(symbol) ?? moment.now]),
  );
  const watch = { hotSince, worthSince };
  const { now, past } = moment;
  if (past.some(({ at }) => now - at < WINDOWS_AFTER_A_MOVE * rules.windowMs))
    return { watch, move: undefined };
  const due = candidates.map((ofSeat) => ofSeat.filter((one) => isDue(one, watch, moment, rules)));
  const [first] = due.filter((ofSeat) => ofSeat.length > 0);
  return { watch, move: first && bestOf(first, rules.gain) };
}

function findHot(
  before: HotWatch["hotSince"],
  { now, seats }: LoadsAtOneMoment,
  rules: HotSpotRules,
): HotWatch["hotSince"] {
  const mean = seats.reduce((sum, { total }) => sum + total, 0) / seats.length;
  const release = 1 + (rules.threshold - 1) / 2;
  const hot = seats.filter(({ seat, total }) => {
    const factor = before.has(seat) ? release : rules.threshold;
    return total >= rules.leastLoad && total > 0 && total >= factor * mean;
  });
  return new Map(hot.map(({ seat }) => [seat, before.get(seat) ?? now]));
}

/** The hot symbols of a hot seat that would leave less load at the busier of the two seats. */
function findCandidates(
  from: SeatLoad,
  { now, seats, past, fixed }: LoadsAtOneMoment,
  { coolDownMs, gain }: HotSpotRules,
): readonly Candidate[] {
  // A seat that did not take over what it was given is not given more at once.
  const broken = new Set(
    past.filter(({ at, failed }) => failed && now - at < coolDownMs).map(({ to }) => to),
  );
  const [to] = seats
    .filter(({ seat }) => seat !== from.seat && !broken.has(seat))
    .sort((a, b) => a.total - b.total || b.seat - a.seat);
  if (!to) return [];
  return (
    [...from.hottest]
      .filter(([symbol, load]) => load >= HOT_SHARE * from.total && !fixed.has(symbol))
      .map(([symbol, load]) => ({
        move: { symbol, from: from.seat, to: to.seat },
        load,
        left: Math.max(from.total - load, to.total + load),
      }))
      // Wherever a symbol is, its own load is there too: what counts is the rest that it has beside it.
      .filter(({ load, left }) => load < from.total && left - load <= (1 - gain) * (from.total - load))
  );
}

/** Hot for long enough; and one that was moved before has had its time, and would have been better off for as long. */
function isDue(
  { move: { symbol, from } }: Candidate,
  { hotSince, worthSince }: HotWatch,
  { now, past }: LoadsAtOneMoment,
  { windowMs, coolDownMs }: HotSpotRules,
): boolean {
  const hotFor = now - (hotSince.get(from) ?? now);
  const worthFor = now - (worthSince.get(symbol) ?? now);
  const own = past.filter((one) => one.symbol === symbol);
  if (own.length === 0) return Math.min(hotFor, worthFor) >= windowMs;
  return Math.min(hotFor, worthFor, ...own.map(({ at }) => now - at)) >= coolDownMs;
}

/** The hottest of those that help about as much as the best. */
function bestOf(candidates: readonly Candidate[], gain: number): Move | undefined {
  const best = Math.min(...candidates.map(({ left }) => left));
  const [hottest] = candidates
    .filter(({ left }) => left <= (1 + gain) * best)
    .sort((a, b) => b.load - a.load || (a.move.symbol < b.move.symbol ? -1 : 1));
  return hottest?.move;
}
