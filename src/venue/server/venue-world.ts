/** The exchange behind the server: every command goes through here, is carried out, and is written down with its effects. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { formatMoney, parseMoney, quantityLots } from "../../domain/amounts.ts";
import { assertNever, invariant } from "../../domain/assert.ts";
import type { Instant } from "../../domain/ids.ts";
import type { CrowdState } from "../market/crowd.ts";
import { Crowd, crowdAccounts } from "../market/crowd.ts";
import type { FillRule, Portion, VenueEvent } from "../matching/commands.ts";
import type { OrderView } from "../matching/order-history.ts";
import type { VenueState } from "../matching/venue-state.ts";
import { Venue } from "../matching/venue.ts";
import type { CommandLog } from "./group-commit.ts";
import type { CommandEffects, CommandLine, CommandOutcome, JournalLine } from "./journal-format.ts";
import type { CancelLine, MoveLine, PlaceLine } from "./journal-format.ts";
import { effectsOf } from "./journal-format.ts";
import { STEP } from "./listing.ts";
import type { VenueServerOptions } from "./options.ts";

type WorldOptions = Pick<VenueServerOptions, "symbols" | "accounts" | "feeAsset" | "selfTrade" | "crowd">;

/** What a command did: whatever happened to any order, simulated users' included. */
export interface Happening {
  readonly command: CommandLine;
  readonly effects: CommandEffects;
  /** Why the core refused the command; not written down. */
  readonly reason?: string;
  readonly events: readonly VenueEvent[];
}

export interface WorldState {
  readonly venue: VenueState;
  readonly crowd: readonly CrowdState[];
  readonly symbols: readonly SymbolState[];
}

/** What the core does not keep. */
interface SymbolState {
  readonly symbol: string;
  /** Points of its source consumed, and moves of any kind. */
  readonly points: number;
  readonly moves: number;
}

/** Reads of the venue; every change is a method of the world. */
export type VenueReads = Pick<
  Venue,
  | "balances"
  | "bestPrice"
  | "depth"
  | "fillsAfter"
  | "findByClientId"
  | "findByExchangeId"
  | "instrument"
  | "openOrders"
  | "ordersSince"
  | "price"
  | "quantityAt"
>;

/**
 * Deterministic: the same commands give the same orders, trades and balances, so that its journal is all it needs to
 * come back. Its time never runs backwards.
 */
export class VenueWorld {
  readonly #venue: Venue;
  readonly #crowd: Crowd | undefined;
  readonly #customers: ReadonlySet<string>;
  readonly #fillRules: ReadonlyMap<string, FillRule>;
  readonly #progress = new Map<string, { points: number; moves: number }>();
  readonly #listeners: ((happening: Happening) => void)[] = [];
  #log: CommandLog | undefined = undefined;
  #events: VenueEvent[] = [];
  #time = 0 as Instant;

  constructor({ symbols, accounts, feeAsset, selfTrade, crowd }: WorldOptions) {
    const instruments = symbols.map(({ instrument }) => instrument);
    this.#customers = new Set(accounts.map(({ name }) => name));
    this.#fillRules = new Map(symbols.map(({ instrument, fill }) => [instrument.symbol, fill]));
    for (const { symbol } of instruments) this.#progress.set(symbol, { points: 0, moves: 0 });
    this.#venue = new Venue({
      instruments,
      feeAsset,
      feeStep: STEP as Money,
      selfTrade,
      clientIdRule: "among open",
      filters: new Map(symbols.map(({ instrument, filters }) => [instrument.symbol, filters])),
      depth: crowd ? "book" : "unlimited",
      forgotten: new Set(crowd ? crowdAccounts(crowd) : []),
      listen: (event) => this.#events.push(event),
    });
    this.#crowd = crowd && new Crowd(crowd, this.#venue, instruments);
  }

  /** True where the market itself trades with whom its price crosses. */
  get isUnlimited(): boolean {
    return this.#crowd === undefined;
  }

  get reads(): VenueReads {
    return this.#venue;
  }

  /** The latest time that anybody saw. */
  get time(): Instant {
    return this.#time;
  }

  /** Points of the symbol's source consumed so far. */
  points(symbol: string): number {
    return this.#progressOf(symbol).points;
  }

  /** The clock as the venue shows it: `now`, or the latest time seen where that is later. */
  tell(now: Instant): Instant {
    if (now > this.#time) this.#time = now;
    return this.#time;
  }

  /** Has `listener` see every command with its effects, inside it; it must not give commands. */
  listen(listener: (happening: Happening) => void): void {
    this.#listeners.push(listener);
  }

  /** Writes down, from here on, every command. */
  writeTo(log: CommandLog): void {
    this.#log = log;
  }

  place(line: Omit<PlaceLine, "kind" | "time">, now: Instant): Happening {
    const { account, key, symbol, id, side, type, price, quantity, timeInForce, validUntil } = line;
    const time = this.tell(now);
    return this.#run({
      kind: "place",
      time,
      account,
      key,
      symbol,
      id,
      side,
      type,
      price,
      quantity,
      timeInForce,
      validUntil,
    });
  }

  cancel(line: Omit<CancelLine, "kind" | "time">, now: Instant): Happening {
    return this.#run({ kind: "cancel", time: this.tell(now), ...line });
  }

  /** The next point of the symbol's source. */
  advance(symbol: string, price: PriceTicks, now: Instant): Happening {
    return this.#move(symbol, price, 1, 1, now);
  }

  /** A move by hand; see `MoveLine.share`. */
  move(symbol: string, price: PriceTicks, share: number, now: Instant): Happening {
    return this.#move(symbol, price, share, 0, now);
  }

  deposit(account: string, asset: string, amount: Money, now: Instant): Happening {
    return this.#run({
      kind: "deposit",
      time: this.tell(now),
      account,
      asset,
      amount: formatMoney(amount),
    });
  }

  /** Repeats a command of the journal. Throws INVARIANT where it does not do what it did. */
  repeat(line: JournalLine): void {
    const { outcome, order, changes, fills } = line;
    const { effects } = this.#carryOut(line);
    const [written, repeated] = [
      { outcome, order, changes, fills },
      { outcome: effects.outcome, order: effects.order, changes: effects.changes, fills: effects.fills },
    ].map((value) => JSON.stringify(value));
    invariant(
      written === repeated,
      `the venue's journal does not repeat itself at ${JSON.stringify(line)}: now ${repeated}`,
    );
  }

  state(): WorldState {
    return {
      venue: this.#venue.state(),
      crowd: this.#crowd?.state() ?? [],
      symbols: [...this.#progress].map(([symbol, progress]) => ({ symbol, ...progress })),
    };
  }

  restore({ venue, crowd, symbols }: WorldState): void {
    this.#venue.restore(venue);
    this.#crowd?.restore(crowd);
    for (const { symbol, points, moves } of symbols) this.#progress.set(symbol, { points, moves });
    this.#time = venue.now;
  }

  #move(symbol: string, price: PriceTicks, share: number, step: number, now: Instant): Happening {
    const points = this.points(symbol) + step;
    return this.#run({ kind: "move", time: this.tell(now), symbol, price, points, share });
  }

  #run(command: CommandLine): Happening {
    const happening = this.#carryOut(command);
    this.#log?.append(lineText(command, happening.effects));
    return happening;
  }

  #carryOut(command: CommandLine): Happening {
    this.tell(command.time);
    this.#events = [];
    const { outcome, order, reason } = this.#do(command);
    const { changes, fills } = effectsOf(this.#events, this.#isCustomer);
    const effects: CommandEffects =
      order === undefined ? { outcome, changes, fills } : { outcome, order, changes, fills };
    const events = this.#events;
    const happening: Happening =
      reason === undefined ? { command, effects, events } : { command, effects, events, reason };
    for (const listener of this.#listeners) listener(happening);
    return happening;
  }

  readonly #isCustomer = (account: string): boolean => this.#customers.has(account);

  #do(command: CommandLine): Done {
    switch (command.kind) {
      case "place": {
        const { account, symbol, id, side, type, price, quantity, timeInForce, validUntil, time } = command;
        const result = this.#venue.place(
          { account, symbol, id, side, type, price, quantity, timeInForce, validUntil },
          time,
        );
        if (result.kind === "duplicate") return { outcome: "duplicate" };
        if (result.kind === "rejected") return { outcome: result.reason, reason: result.message };
        this.#crowd?.sweep(symbol, this.#progressOf(symbol).moves, time);
        return { outcome: "accepted", order: result.exchangeOrderId };
      }
      case "cancel": {
        const { account, symbol, cancels, validUntil, time } = command;
        const result = this.#venue.cancel({ account, symbol, exchangeOrderId: cancels, validUntil }, time);
        return { outcome: result.kind };
      }
      case "move":
        this.#movePrice(command);
        return { outcome: "done" };
      case "deposit":
        this.#venue.deposit(command.account, command.asset, parseMoney(command.amount));
        return { outcome: "done" };
      default:
        return assertNever(command);
    }
  }

  #movePrice({ symbol, price, points, share, time }: MoveLine): void {
    const progress = this.#progressOf(symbol);
    progress.points = points;
    progress.moves += 1;
    const fill = this.#fillRules.get(symbol) ?? "touch";
    this.#venue.movePrice(symbol, price, time, fill, share === 1 ? undefined : portionOf(share));
    this.#crowd?.act(symbol, price, fill, progress.moves, time);
  }

  #progressOf(symbol: string): { points: number; moves: number } {
    const progress = this.#progress.get(symbol);
    invariant(progress !== undefined, `the venue has no symbol ${symbol}`);
    return progress;
  }
}

interface Done {
  readonly outcome: CommandOutcome;
  readonly order?: string;
  readonly reason?: string;
}

function portionOf(share: number): Portion {
  return ({ quantity, executed }: OrderView): QuantityLots =>
    quantityLots(Math.max(1, Math.floor((quantity - executed) * share)));
}

/** The command and its effects on one line; the order path is written by hand, because it is the busiest. */
function lineText(command: CommandLine, effects: CommandEffects): string {
  if (command.kind !== "place") return JSON.stringify({ ...command, ...effects });
  const { time, account, key, symbol, id, side, type, price, quantity, timeInForce, validUntil } = command;
  const { outcome, order, changes, fills } = effects;
  // Client ids and symbols are letters, digits and signs that JSON leaves alone; names may be anything.
  return `{"kind":"place","time":${time},"account":${quoted(account)},"key":${quoted(key)},"symbol":"${symbol}","id":"${id}","side":"${side}","type":"${type}","price":${price},"quantity":${quantity},"timeInForce":"${timeInForce}","validUntil":${validUntil},"outcome":"${outcome}"${order === undefined ? "" : `,"order":"${order}"`},"changes":${changesText(changes)},"fills":${fills.length === 0 ? "[]" : JSON.stringify(fills)}}`;
}

const QUOTED = new Map<string, string>();

/** JSON of a name of the config: there are few of them. */
function quoted(name: string): string {
  let text = QUOTED.get(name);
  if (text === undefined) QUOTED.set(name, (text = JSON.stringify(name)));
  return text;
}

function changesText(changes: CommandEffects["changes"]): string {
  const [first] = changes;
  if (first === undefined) return "[]";
  return changes.length === 1 ? `[["${first[0]}","${first[1]}",${first[2]}]]` : JSON.stringify(changes);
}
