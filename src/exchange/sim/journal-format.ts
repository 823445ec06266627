/** What stands in the journal of a simulated market, and how it is read back. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { ClientOrderId, Instant, Side } from "../../domain/ids.ts";
import type { PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import type { OrderType } from "../../domain/order.ts";
import type { VenueOrderStatus } from "../../venue/matching/order-history.ts";
import type { CancelOutcome, PlaceOutcome } from "../exchange.ts";

/** How an order of the account looked after something happened. */
export type OrderChange = readonly [
  exchangeOrderId: string,
  status: VenueOrderStatus,
  executed: QuantityLots,
];

/** Where and when something happened, and what it did to the account's orders, each once. */
export interface JournalStamp {
  /** Points of the feed consumed before it. */
  readonly position: number;
  readonly time: Instant;
  readonly changes: readonly OrderChange[];
}

export interface PlaceRecord extends JournalStamp {
  readonly kind: "place";
  readonly symbol: string;
  readonly id: ClientOrderId;
  readonly side: Side;
  readonly type: OrderType;
  readonly price: PriceTicks;
  readonly quantity: QuantityLots;
  readonly validUntil: Instant;
  /** The order was valid, and refused by an injected fault. */
  readonly fault: "rejected" | undefined;
  readonly outcome: PlaceOutcome;
}

export interface CancelRecord extends JournalStamp {
  readonly kind: "cancel";
  readonly symbol: string;
  readonly exchangeOrderId: string;
  readonly validUntil: Instant;
  /** What an injected fault executed just before. */
  readonly filledBefore: QuantityLots;
  readonly outcome: CancelOutcome;
}

/** The point that brought the feed to `position` changed orders at `time`; other points leave no trace but the header. */
export interface MoveRecord extends JournalStamp {
  readonly kind: "move";
}

/** The market was opened with faults: those that only the bot sees are others each time. */
export interface OpenRecord extends JournalStamp {
  readonly kind: "open";
}

export type JournalRecord = PlaceRecord | CancelRecord | MoveRecord | OpenRecord;

/** What must be the same for a journal to go on, as JSON values under the names that people know. */
export type MarketDescription = Readonly<Record<string, unknown>>;

export interface JournalContent {
  readonly account: string;
  readonly description: MarketDescription;
  readonly begunAt: Instant;
  readonly position: number;
  readonly time: Instant;
  readonly records: readonly JournalRecord[];
  /** Bytes up to the end of the last whole line. */
  readonly end: number;
}

interface BeginRecord {
  readonly kind: "begin";
  readonly begunAt: Instant;
  readonly account: string;
  readonly description: MarketDescription;
}

const MAGIC = '{"quantmesh":"sim-journal","format":';
const FORMAT = 2;
const DIGITS = 16;
const ZERO_DIGIT = 48;
const NEWLINE = 10;
const KINDS: ReadonlySet<unknown> = new Set<JournalRecord["kind"]>(["place", "cancel", "move", "open"]);

/** The first line, always of the same length: digits are padded with zeros, and therefore stand in quotes. */
export function headerLine(position: number, time: Instant): string {
  return `${MAGIC}${FORMAT},"position":"${padded(position)}","time":"${padded(time)}"}\n`;
}

const POSITION_AT = `${MAGIC}${FORMAT},"position":"`.length;
const TIME_AT = POSITION_AT + DIGITS + '","time":"'.length;

/** Rewrites both numbers of a header line in place. */
export function rewriteHeader(line: Uint8Array, position: number, time: Instant): void {
  writeDigits(line, POSITION_AT, position);
  writeDigits(line, TIME_AT, time);
}

/** The first lines of a new journal. */
export function beginning(account: string, description: MarketDescription, begunAt: Instant): string {
  const begin: BeginRecord = { kind: "begin", begunAt, account, description };
  return `${headerLine(0, begunAt)}${JSON.stringify(begin)}\n`;
}

/**
 * Reads a journal; undefined where its beginning was never completely written, so that nothing happened yet.
 * Throws CONFIG_INVALID where this is no journal or one of another version, DATA_INVALID where a line is damaged.
 */
export function parseJournal(file: string, bytes: Buffer): JournalContent | undefined {
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  const start = bytes.toString("utf8", 0, MAGIC.length);
  if (start !== MAGIC.slice(0, bytes.length)) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${file} is not the journal of a simulated market; set another path`,
    );
  }
  const lines = bytes.toString("utf8", 0, end).split("\n").slice(0, -1);
  if (lines.length < 2) return undefined;
  const [header, begin, ...records] = lines.map((line, index) => parseLine(file, line, index + 1));
  if (header?.["format"] !== FORMAT) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${file} has format ${String(header?.["format"])}, not ${FORMAT}; remove it or set another journal path`,
    );
  }
  const unknown = records.findIndex((record) => !KINDS.has(record["kind"]));
  if (unknown >= 0) throw damaged(file, unknown + 3);
  const { begunAt, account, description } = begin as unknown as BeginRecord;
  return {
    account,
    description,
    begunAt,
    position: Number(header["position"]),
    time: Number(header["time"]) as Instant,
    // Our own lines, written whole; recovery carries each out again and compares what comes of it.
    records: records as unknown as JournalRecord[],
    end,
  };
}

function parseLine(file: string, line: string, number: number): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    throw damaged(file, number, error);
  }
}

function damaged(file: string, line: number, cause?: unknown): QuantmeshError {
  const message = `${file} line ${line} is damaged; remove the file to begin a new simulated market`;
  return new QuantmeshError("DATA_INVALID", message, { cause });
}

function padded(value: number): string {
  return String(value).padStart(DIGITS, "0");
}

function writeDigits(line: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let index = at + DIGITS - 1; index >= at; index -= 1) {
    const higher = Math.floor(rest / 10);
    line[index] = ZERO_DIGIT + (rest - higher * 10);
    rest = higher;
  }
}
