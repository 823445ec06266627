/** What a fleet looks like, from etcd and the database: who is there, who trades what, and what is not as it should be. */
import { assign } from "../coordination/assign.ts";
import type { CentreState } from "../coordination/config-centre.ts";
import type { MoveRecord } from "../coordination/moves.ts";
import { readLoad } from "../coordination/load-report.ts";
import type { FleetView, Member } from "../coordination/fleet-view.ts";
import { holderName, isRegistered, isReplaced, ringSeats, seatOf } from "../coordination/fleet-view.ts";
import { formatMoney } from "../domain/amounts.ts";
import type { BotCode, Instant } from "../domain/ids.ts";
import type { BotSummary, HeldClaim } from "../storage/storage.ts";
import type { ConfigStatus } from "./config-status.ts";
import { configStatus } from "./config-status.ts";

export interface InstanceStatus {
  readonly id: string;
  /** `silent`: it does not know that its seat is gone, or has none and nobody hears it. */
  readonly role: "active" | "standby" | "draining" | "drained" | "silent";
  readonly seat: number | undefined;
  /** How many it has claimed. */
  readonly symbols: number;
  /** Of all its symbols, in events per second; an order counts as twenty. */
  readonly load: number | undefined;
  readonly version: string;
  readonly config: number;
  readonly address: string;
  readonly startedAt: number;
  /** Of one that is silent: when it counts as gone for good. */
  readonly leaseEndsInMs: number | undefined;
}

export interface SymbolStatus {
  readonly symbol: string;
  readonly seat: number | undefined;
  readonly owner: string | undefined;
  readonly epoch: number | undefined;
  readonly mode: string;
  readonly orders: number;
  readonly fills: number;
  readonly profit: string;
  /** Since an order of it last changed. */
  readonly idleMs: number | undefined;
}

export interface FleetStatus {
  readonly fleet: string;
  readonly instances: readonly InstanceStatus[];
  readonly symbols: readonly SymbolStatus[];
  readonly config: ConfigStatus | undefined;
  /** What became of moves a while ago, and those that are proposed. */
  readonly moves: readonly MoveStatus[];
  /** Of bots that nobody runs any more: one sentence for each whose orders may still rest, with the money that they need. */
  readonly left: readonly string[];
  /** One sentence for each thing that is not as it should be. */
  readonly problems: readonly string[];
}

export interface MoveStatus extends Pick<MoveRecord, "symbol" | "from" | "to" | "state"> {
  readonly ageMs: number;
}

export interface FleetFacts {
  readonly fleet: string;
  readonly view: FleetView;
  readonly centre: CentreState;
  readonly moves: readonly MoveRecord[];
  readonly symbols: readonly string[];
  readonly claims: readonly HeldClaim[];
  readonly bots: readonly BotSummary[];
  readonly lastChanges: ReadonlyMap<BotCode, Instant>;
  /** How long the registrations of silent instances last, ms, by instance. */
  readonly timeLeft: ReadonlyMap<string, number>;
  readonly now: number;
}

export function fleetStatus(facts: FleetFacts): FleetStatus {
  const { fleet, view, moves, symbols, claims, bots, lastChanges, now } = facts;
  const seats = assign(symbols, ringSeats(view), view.pins);
  const holders = new Map(view.seats.map(({ holder, number }) => [number, holderName(holder)]));
  const rows = [...new Set([...symbols, ...claims.map(({ symbol }) => symbol)])].sort().map((symbol) => {
    const claim = claims.find((one) => one.symbol === symbol);
    const bot = bots.find((one) => one.bot.market.symbol === symbol);
    const changed = bot && lastChanges.get(bot.bot.code);
    return {
      symbol,
      seat: seats.get(symbol),
      holder: claim?.holder,
      owner: claim?.holder.split(" ")[0],
      epoch: claim?.epoch,
      mode: bot?.mode ?? "new",
      orders: bot?.workingOrders ?? 0,
      fills: bot?.totals.fills ?? 0,
      profit: bot ? formatMoney(bot.totals.gridProfit) : "0",
      idleMs: changed === undefined ? undefined : Math.max(0, now - changed),
    };
  });
  const problems = [
    ...(view.members.size === 0 ? ["no instance is running"] : []),
    ...[...view.members.values()].flatMap((member) =>
      member.degraded === undefined ? [] : [`${member.id}: ${member.degraded}`],
    ),
    ...[...view.members.values()].flatMap((member) => silence(facts, member)),
    ...view.seats
      .filter(({ holder }) => !isRegistered(view, holder))
      .map(({ number, holder }) => `seat ${number}: its holder ${holder.id} is gone`),
    ...rows.flatMap(({ symbol, seat, holder }) => {
      if (seat === undefined) return [`${symbol}: there is no seat to trade it`];
      if (holder === undefined) return [`${symbol}: not claimed yet by seat ${seat}`];
      return holder === holders.get(seat) ? [] : [`${symbol}: moves to seat ${seat}`];
    }),
    ...rows.filter(({ mode }) => mode === "halted").map(({ symbol }) => `${symbol}: halted`),
  ];
  return {
    fleet,
    instances: [...view.members.values()].map((member) => instanceStatus(facts, member)),
    symbols: rows.map(({ holder: _, ...row }) => row),
    config: configStatus(facts.centre, [...view.members.values()]),
    moves: moves.map(({ symbol, from, to, state, at }) => {
      return { symbol, from, to, state, ageMs: Math.max(0, now - at) };
    }),
    left: leftBehind(facts.bots, new Set(rows.map(({ symbol }) => symbol))),
    problems,
  };
}

/** Removed from the config: what rests on the exchange stays, and its money stays set aside, until the bot runs again. */
function leftBehind(bots: readonly BotSummary[], shown: ReadonlySet<string>): readonly string[] {
  return bots
    .filter(({ bot, workingOrders }) => workingOrders > 0 && !shown.has(bot.market.symbol))
    .map(
      ({ bot, workingOrders }) =>
        `${bot.market.symbol}: not in the config, but ${workingOrders} orders may rest and keep their money: ` +
        "put it back, or run it once in a config of its own with system.cancel_on_exit",
    );
}

/** Instances of which nobody knows that they live: a kill and a sleep look the same from here. */
export function silentMembers(view: FleetView): readonly Member[] {
  return [...view.members.values()].filter((member) => {
    if (isReplaced(view, member)) return true;
    const { heard, unheard } = hearers(view, member);
    return seatOf(view, member) === undefined && unheard.length > 0 && heard.length === 0;
  });
}

/** Who of the others, as far as they answer themselves, hears this one and who does not. */
function hearers(
  view: FleetView,
  { id }: Member,
): { readonly heard: readonly string[]; readonly unheard: readonly string[] } {
  const others = [...view.members.values()].filter((other) => other.id !== id && !isReplaced(view, other));
  const names = (isHeard: boolean): readonly string[] =>
    others.filter(({ unheard = [] }) => unheard.includes(id) !== isHeard).map((other) => other.id);
  return { heard: names(true), unheard: names(false) };
}

function silence({ view, timeLeft }: FleetFacts, member: Member): readonly string[] {
  const left = timeLeft.get(member.id);
  const ends = left === undefined ? "" : `; its registration ends in ${Math.ceil(left / 1000)} s`;
  if (isReplaced(view, member)) {
    const successor = view.seats.find(({ number }) => number === member.seat)?.holder.id;
    const became = successor === undefined ? "is gone" : `is ${successor}'s now`;
    return [`${member.id}: does not answer, its seat ${member.seat ?? 0} ${became}${ends}`];
  }
  const { unheard } = hearers(view, member);
  return unheard.length === 0 ? [] : [`${member.id}: not heard by ${unheard.join(", ")}${ends}`];
}

function instanceStatus({ view, claims, timeLeft }: FleetFacts, member: Member): InstanceStatus {
  const { id, version, config, address, startedAt, draining } = member;
  const load = readLoad(member.load)?.total;
  const seat = seatOf(view, member)?.number;
  const isSilent = silentMembers(view).includes(member);
  const symbols = claims.filter(({ holder }) => holder === holderName(member)).length;
  const hasSeat = seat !== undefined;
  const role = draining ? (hasSeat ? "draining" : "drained") : hasSeat ? "active" : "standby";
  return {
    id,
    role: isSilent ? "silent" : role,
    seat,
    symbols,
    load,
    version,
    config,
    address,
    startedAt,
    leaseEndsInMs: timeLeft.get(id),
  };
}
