/** The simulated exchange itself: a venue, the feed that moves its prices, and the journal that outlives it. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { ZERO_LOTS, ZERO_MONEY } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";
import type { Instant } from "../../domain/ids.ts";
import type { Feed, Point } from "../../venue/market/feed.ts";
import type { FillRule, PlaceCommand, Portion } from "../../venue/matching/commands.ts";
import type { VenueEvent, VenueOptions } from "../../venue/matching/commands.ts";
import { Venue } from "../../venue/matching/venue.ts";
import type { CancelOutcome, CancelRequest, OrderRequest, PlaceOutcome } from "../exchange.ts";
import type { CrowdOptions } from "../../venue/market/crowd.ts";
import { Crowd, crowdAccounts } from "../../venue/market/crowd.ts";
import type { FaultDice } from "./fault-dice.ts";
import type { Journal } from "./journal.ts";
import type { CancelRecord, JournalRecord, JournalStamp, PlaceRecord } from "./journal-format.ts";
import { changesIn, portionOf } from "./order-changes.ts";
import { WorldFaults } from "./world-faults.ts";

export interface WorldOptions
  extends Pick<VenueOptions, "instruments" | "clientIdRule" | "selfTrade" | "feeAsset" | "filters"> {
  readonly account: string;
  readonly balances: Readonly<Record<string, Money>>;
  /** The price that each symbol stands at before its first point. */
  readonly startPrices: ReadonlyMap<string, PriceTicks>;
  /** `touch` where none is given. */
  readonly fillRules: ReadonlyMap<string, FillRule>;
  /** True where a point's `at` is the time it happens at; else it happens when it is consumed. */
  readonly pointsHaveTime: boolean;
  readonly feed: Feed;
  readonly journal: Journal;
  /** How far exchange time is ahead of the clock that the callers go by, ms; 0 unless given. */
  readonly clockOffsetMs?: number;
  /** Who else trades; nobody unless given. */
  readonly crowd?: Required<CrowdOptions>;
  /** Says when valid orders are refused, fills are partial and cancels come too late; never unless given. */
  readonly dice?: FaultDice;
}

type PlaceTerms = Omit<PlaceCommand, "account" | "timeInForce">;
type CancelTerms = Pick<CancelRecord, "symbol" | "exchangeOrderId" | "validUntil">;

/**
 * Carries out commands and points one at a time, and writes each down before it returns. Its time never runs
 * backwards. Throws as the journal does; a world whose journal failed answers nothing any more.
 */
export class SimWorld {
  readonly account: string;
  readonly #venue: Venue;
  readonly #feed: Feed;
  readonly #journal: Journal;
  readonly #options: WorldOptions;
  readonly #offsetMs: number;
  readonly #crowd: Crowd | undefined;
  readonly #faults: WorldFaults | undefined;
  readonly #portion: Portion | undefined;
  #watch: (event: VenueEvent) => void = () => undefined;
  #events: VenueEvent[] = [];
  #time: Instant;
  #lastPointAt: Instant | undefined = undefined;

  /** Opens the world where its journal left it. Throws INVARIANT where the past does not repeat itself. */
  constructor(options: WorldOptions) {
    const { account, instruments, balances, startPrices, feed, journal, crowd, dice } = options;
    this.account = account;
    this.#options = options;
    this.#offsetMs = options.clockOffsetMs ?? 0;
    this.#feed = feed;
    this.#journal = journal;
    this.#venue = new Venue({
      ...options,
      depth: crowd ? "book" : "unlimited",
      forgotten: new Set(crowd ? crowdAccounts(crowd) : []),
      listen: (event) => this.#note(event),
    });
    this.#crowd = crowd && new Crowd(crowd, this.#venue, instruments);
    const faults = dice && new WorldFaults(dice, this.#venue);
    this.#faults = faults;
    this.#portion = faults && ((order) => faults.portion(order, this.position));
    const { begunAt } = journal.content;
    this.#time = begunAt;
    for (const { base, quote } of instruments) {
      for (const asset of [base, quote]) this.#venue.deposit(account, asset, ZERO_MONEY);
    }
    for (const [asset, amount] of Object.entries(balances)) this.#venue.deposit(account, asset, amount);
    for (const [symbol, price] of startPrices) this.#movePrice({ symbol, price, at: begunAt }, begunAt);
    this.#recover();
  }

  /** The number of points consumed. */
  get position(): number {
    return this.#feed.position;
  }

  /** When the last point was due by the feed; undefined before the first one. */
  get lastPointAt(): Instant | undefined {
    return this.#lastPointAt;
  }

  /** When the next point is due by the feed; undefined after the last one. */
  get nextPointAt(): Instant | undefined {
    return this.#feed.nextAt();
  }

  /** The latest exchange time that anybody saw. */
  get time(): Instant {
    return this.#time;
  }

  /** The venue for reading only: every change goes through the world. */
  get venue(): Omit<Venue, "place" | "cancel" | "movePrice" | "execute" | "deposit"> {
    this.#journal.assertUsable();
    return this.#venue;
  }

  assertUsable(): void {
    this.#journal.assertUsable();
  }

  /** Has `watch` see each event of the account at once, from here on. */
  watch(watch: (event: VenueEvent) => void): void {
    this.#watch = watch;
  }

  /** Exchange time: `now` of the callers' clock, or the last time that anybody saw where that is later. */
  tell(now: Instant): Instant {
    return this.#pass((now + this.#offsetMs) as Instant);
  }

  place(request: OrderRequest, now: Instant): PlaceOutcome {
    this.#journal.assertAlone();
    const { symbol, validUntil } = request;
    const { id, side, type, price, quantity } = request.terms;
    const terms = { symbol, id, side, type, price, quantity, validUntil };
    const time = this.tell(now);
    const before = this.#events.length;
    const command = { ...terms, account: this.account };
    const fault = this.#faults?.refuses(command, this.position, time) ? "rejected" : undefined;
    const outcome = this.#place(terms, fault, time);
    this.#journal.append({ kind: "place", ...this.#stamp(time, before), ...terms, fault, outcome });
    return outcome;
  }

  cancel(request: CancelRequest, now: Instant): CancelOutcome {
    this.#journal.assertAlone();
    const { symbol, exchangeOrderId, validUntil } = request;
    const terms = { symbol, exchangeOrderId, validUntil };
    const time = this.tell(now);
    const before = this.#events.length;
    const command = { ...terms, account: this.account };
    const filledBefore = this.#faults?.fillBefore(command, this.position, time) ?? ZERO_LOTS;
    const outcome = this.#cancel(terms, filledBefore, time);
    this.#journal.append({ kind: "cancel", ...this.#stamp(time, before), ...terms, filledBefore, outcome });
    return outcome;
  }

  /** Notes that the clock went on to `now`, for whoever reads it next. */
  passTime(now: Instant): void {
    this.#journal.moveTo(this.position, this.tell(now));
  }

  /** Consumes the feed's next point at `now`. */
  advance(now: Instant): Point {
    const time = this.tell(now);
    this.#journal.moveTo(this.position + 1, time);
    const before = this.#events.length;
    const point = this.#consume(time, this.#portion);
    if (this.#events.length > before) this.#write("move", time, before);
    return point;
  }

  /** Writes down that the market was opened with faults. */
  noteOpening(): void {
    this.#write("open", this.#time, this.#events.length);
  }

  /** What happened to the account since this was last asked. */
  takeEvents(): readonly VenueEvent[] {
    if (this.#events.length === 0) return NOTHING;
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #note(event: VenueEvent): void {
    if (event.account !== this.account) return;
    this.#events.push(event);
    this.#watch(event);
  }

  #pass(time: Instant): Instant {
    if (time > this.#time) this.#time = time;
    return this.#time;
  }

  #place(terms: PlaceTerms, fault: PlaceRecord["fault"], time: Instant): PlaceOutcome {
    if (fault) return { kind: "rejected", reason: "other", message: "refused by an injected fault" };
    const outcome = this.#venue.place({ ...terms, account: this.account }, time);
    this.#crowd?.sweep(terms.symbol, this.position, time);
    return outcome;
  }

  #cancel(terms: CancelTerms, filledBefore: QuantityLots, time: Instant): CancelOutcome {
    const { symbol, exchangeOrderId } = terms;
    if (filledBefore > 0) this.#venue.execute(this.account, symbol, exchangeOrderId, filledBefore, time);
    const result = this.#venue.cancel({ ...terms, account: this.account }, time);
    if (result.kind === "expired") return { kind: "unknown", message: "the request came after its time" };
    return result;
  }

  #consume(time: Instant, portion: Portion | undefined): Point {
    const point = this.#feed.next();
    invariant(point !== undefined, `the feed ends before point ${this.position + 1}`);
    this.#lastPointAt = point.at;
    const { pointsHaveTime } = this.#options;
    this.#movePrice(point, pointsHaveTime ? ((point.at + this.#offsetMs) as Instant) : time, portion);
    return point;
  }

  #movePrice({ symbol, price }: Point, at: Instant, portion?: Portion): void {
    const fill = this.#options.fillRules.get(symbol) ?? "touch";
    this.#faults?.noteMove(symbol, price);
    this.#venue.movePrice(symbol, price, at, fill, portion);
    this.#crowd?.act(symbol, price, fill, this.position, at);
  }

  #write(kind: "move" | "open", time: Instant, before: number): void {
    this.#journal.assertAlone();
    this.#journal.append({ kind, ...this.#stamp(time, before) });
  }

  #stamp(time: Instant, before: number): JournalStamp {
    return { position: this.position, time, changes: changesIn(this.#events, before) };
  }

  #recover(): void {
    const { records, position, time } = this.#journal.content;
    for (const record of records) this.#repeat(record);
    this.#catchUp(position - 1, time);
    // Killed between the header and the line of the point that it announces.
    if (this.position < position) this.#consume(time, this.#portion);
    if (this.#events.length > 0) this.#write("move", time, 0);
    this.#pass(time);
    this.takeEvents();
  }

  #repeat(record: JournalRecord): void {
    const { kind, position, time } = record;
    this.#catchUp(kind === "move" ? position - 1 : position, time);
    this.#pass(time);
    if (kind === "move") {
      this.#consume(time, portionOf(record.changes));
    } else if (kind !== "open") {
      const outcome =
        kind === "place"
          ? this.#place(record, record.fault, time)
          : this.#cancel(record, record.filledBefore, time);
      this.#requireSame("outcome", record.outcome, outcome);
    }
    this.#requireSame("changes", record.changes, changesIn(this.#events, 0));
    this.takeEvents();
  }

  /** Consumes points up to `position`; those that changed something have a line, and so their own time. */
  #catchUp(position: number, time: Instant): void {
    while (this.position < position) this.#consume(time, undefined);
    this.#requireSame("changes", [], changesIn(this.#events, 0));
  }

  #requireSame(what: string, written: unknown, repeated: unknown): void {
    const [before, now] = [JSON.stringify(written), JSON.stringify(repeated)];
    invariant(
      before === now,
      `the simulated market's journal does not repeat itself at point ${this.position}: ${what} ${before}, now ${now}`,
    );
  }
}

const NOTHING: readonly VenueEvent[] = [];
