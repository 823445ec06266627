/** Opens a simulated market: an exchange in this process that the bot cannot tell from one that is elsewhere. */
import type { Money } from "../../domain/amounts.ts";
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import { createFeed } from "../../venue/market/feed.ts";
import type { ClientIdRule, FeeAsset, SelfTradeMode } from "../../venue/matching/commands.ts";
import type { Exchange } from "../exchange.ts";
import type { CrowdOptions } from "../../venue/market/crowd.ts";
import { completeCrowd } from "../../venue/market/crowd.ts";
import type { MarketTerms } from "./describe-market.ts";
import { describeMarket } from "./describe-market.ts";
import type { Idle } from "./drive.ts";
import { driveReplay, driveWalk } from "./drive.ts";
import type { FaultCounts } from "./fault-dice.ts";
import { FaultDice, NO_FAULT_COUNTS } from "./fault-dice.ts";
import type { FaultOptions } from "./faults.ts";
import { completeFaults } from "./faults.ts";
import { createFaultyPort } from "./faulty-port.ts";
import { Hints } from "./hints.ts";
import type { Journal } from "./journal.ts";
import { openJournal } from "./journal.ts";
import { realClock } from "./real-clock.ts";
import type { PreparedMarket, SimSymbol } from "./sim-market.ts";
import { prepareMarket } from "./sim-market.ts";
import { createSimPort } from "./sim-port.ts";
import { SimWorld } from "./sim-world.ts";
import { UnderWay } from "./under-way.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface SimOptions {
  /** The exchange's name, as the port tells it. */
  readonly name: string;
  readonly account: string;
  /** `:memory:` for a market that ends with the process. */
  readonly journalFile: string;
  /** What the account begins with. */
  readonly balances: Readonly<Record<string, Money>>;
  readonly symbols: readonly SimSymbol[];
  /** `among open` unless given. */
  readonly clientIdRule?: ClientIdRule;
  /** `expire_maker` unless given. */
  readonly selfTrade?: SelfTradeMode;
  /** `quote` unless given: what fees of buys are taken in. */
  readonly feeAsset?: FeeAsset;
  /** How long a signed request stays alive, ms; 1,000 unless given. */
  readonly requestWindowMs?: number;
  /** How late the exchange's queries may be, ms; 2,000 unless given. */
  readonly settleMs?: number;
  /** What walks go by; the computer's clock unless given. */
  readonly wallClock?: Clock;
  /** What goes wrong; nothing unless given. A journal may be opened with other faults, but not with another clock. */
  readonly faults?: FaultOptions;
  /** Who else trades; nobody unless given. */
  readonly crowd?: CrowdOptions;
}

export interface SimMarket {
  readonly exchange: Exchange;
  /** The bot's time in this market: virtual in a replay, real otherwise. */
  readonly clock: Clock;
  /**
   * Moves the market: a replay at full speed, whenever all is `idle`, to the end of its data; a walk in real time.
   * Resolves at the end or when `signal` aborts; rejects when the journal fails. Nothing moves in between drives.
   */
  drive(idle: Idle, signal: AbortSignal): Promise<void>;
  /** Points consumed, of how many; a walk has no end. */
  progress(): { readonly position: number; readonly total: number | undefined };
  /** How often each fault really struck since the market was opened. */
  faults(): FaultCounts;
  /** Forces the journal to the disk; reads then throw EXCHANGE_UNAVAILABLE. */
  close(): Promise<void>;
}

/**
 * Opens the market where its journal left it, or begins it at the first price of every symbol.
 * Throws CONFIG_INVALID where the options make no sense or the journal is another market's, DATA_INVALID where the
 * journal is damaged, INVARIANT where the journal's past does not repeat itself.
 */
export async function openSimExchange(options: SimOptions): Promise<SimMarket> {
  const { name, account, balances, symbols, journalFile } = options;
  const { requestWindowMs = 1_000, settleMs = 2_000, wallClock = realClock } = options;
  const negative = Object.keys(balances).find((asset) => (balances[asset] ?? 0n) < 0n);
  if (negative) throw new QuantmeshError("CONFIG_INVALID", `the simulated balance of ${negative} is below 0`);
  const faults = options.faults && completeFaults(options.faults);
  const terms: MarketTerms = {
    symbols,
    balances,
    clientIdRule: options.clientIdRule ?? "among open",
    selfTrade: options.selfTrade ?? "expire_maker",
    feeAsset: options.feeAsset ?? "quote",
    clockOffsetMs: faults?.clockOffsetMs ?? 0,
    crowd: options.crowd && completeCrowd(options.crowd),
  };
  const market = prepareMarket(symbols);
  const { replayFrom, total } = market;
  const begunAt = ((replayFrom ?? wallClock.now()) + terms.clockOffsetMs) as Instant;
  const journal = openJournal(journalFile, account, describeMarket(terms), begunAt);
  const opening = journal.content.records.filter(({ kind }) => kind === "open").length;
  const dice = faults && new FaultDice(faults, opening);
  const world = openWorld(account, terms, market, journal, dice);
  const replayClock =
    replayFrom === undefined ? undefined : new VirtualClock((world.time - terms.clockOffsetMs) as Instant);
  const clock = replayClock ?? wallClock;
  const hints = new Hints();
  const underWay = new UnderWay(clock);
  const port = { name, requestWindowMs, settleMs, world, hints, clock };
  const exchange = createSimPort(port);
  const names = [...market.startPrices.keys()];
  return {
    exchange: dice ? createFaultyPort(exchange, { ...port, symbols: names, dice, underWay }) : exchange,
    clock,
    drive: (idle, signal) =>
      replayClock
        ? driveReplay({ world, hints, underWay, clock: replayClock }, idle, signal)
        : driveWalk({ world, hints, underWay, clock: wallClock }, signal),
    progress: () => ({ position: world.position, total }),
    faults: () => dice?.counts() ?? NO_FAULT_COUNTS,
    close: async () => journal.close(),
  };
}

function openWorld(
  account: string,
  { symbols, crowd, ...terms }: MarketTerms,
  { sources, startPrices, fillRules, replayFrom }: PreparedMarket,
  journal: Journal,
  dice: FaultDice | undefined,
): SimWorld {
  try {
    const world = new SimWorld({
      ...terms,
      account,
      instruments: symbols.map(({ instrument }) => instrument),
      filters: new Map(symbols.map(({ instrument, filters = {} }) => [instrument.symbol, filters])),
      startPrices,
      fillRules,
      pointsHaveTime: replayFrom !== undefined,
      feed: createFeed(sources),
      journal,
      ...(crowd ? { crowd } : {}),
      ...(dice ? { dice } : {}),
    });
    if (dice) world.noteOpening();
    return world;
  } catch (error) {
    journal.close();
    throw error;
  }
}
