/** What a fleet looks like, from etcd and the database: who is there, who trades what, and what is not as it should be. */
import { assign } from "../coordination/assign.ts";
import type { FleetView, Member } from "../coordination/fleet-view.ts";
import { holderName, isRegistered, ringSeats, seatOf } from "../coordination/fleet-view.ts";
import { formatMoney } from "../domain/amounts.ts";
import type { BotCode, Instant } from "../domain/ids.ts";
import type { BotSummary, HeldClaim } from "../storage/storage.ts";

export interface InstanceStatus {
  readonly id: string;
  readonly role: "active" | "standby" | "draining" | "drained";
  readonly seat: number | undefined;
  readonly symbols: number;
  readonly version: string;
  readonly config: number;
  readonly address: string;
  readonly startedAt: number;
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
  /** One sentence for each thing that is not as it should be. */
  readonly problems: readonly string[];
}

export interface FleetFacts {
  readonly fleet: string;
  readonly view: FleetView;
  readonly symbols: readonly string[];
  readonly claims: readonly HeldClaim[];
  readonly bots: readonly BotSummary[];
  readonly lastChanges: ReadonlyMap<BotCode, Instant>;
  readonly now: number;
}

export function fleetStatus(facts: FleetFacts): FleetStatus {
  const { fleet, view, symbols, claims, bots, lastChanges, now } = facts;
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
    instances: [...view.members.values()].map((member) => instanceStatus(view, member)),
    symbols: rows.map(({ holder: _, ...row }) => row),
    problems,
  };
}

function instanceStatus(view: FleetView, member: Member): InstanceStatus {
  const { id, symbols, version, config, address, startedAt, draining } = member;
  const seat = seatOf(view, member)?.number;
  const role = draining
    ? seat === undefined
      ? "drained"
      : "draining"
    : seat === undefined
      ? "standby"
      : "active";
  return { id, role, seat, symbols, version, config, address, startedAt };
}
