/** A snapshot as lines: what a venue needs to go on without the journal before it. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { MarketDataState } from "./market-data.ts";
import type { OrderNotesState } from "./order-notes.ts";
import type { WorldState } from "./venue-world.ts";

export interface VenueSnapshot {
  readonly world: WorldState;
  readonly data: MarketDataState;
  readonly notes: OrderNotesState;
}

const MAGIC = '{"quantmesh":"venue-snapshot","format":1}';
const END = '{"end":true}';
/** The fields that hold money; everything else is a number, a text or a list. */
const MONEY: ReadonlySet<string> = new Set(["free", "locked", "quote", "lockPerLot", "fee", "value"]);

/** Line by line, because all of it may be longer than a string can be. */
export function* snapshotLines({ world, data, notes }: VenueSnapshot): Generator<string> {
  const { markets, ...venue } = world.venue;
  yield MAGIC;
  yield line("venue", venue);
  for (const { orders, fills, ...market } of markets) {
    yield line("market", market);
    for (const order of orders) yield line("order", order);
    for (const fill of fills) yield line("fill", fill);
  }
  yield line("crowd", world.crowd);
  yield line("symbols", world.symbols);
  for (const symbol of data) yield line("data", symbol);
  yield line("notes", notes);
  yield END;
}

/** Throws DATA_INVALID where the text is not a whole snapshot; `file` names it. */
export function parseSnapshot(file: string, lines: readonly string[]): VenueSnapshot {
  if (lines[0] !== MAGIC || lines[lines.length - 1] !== END) throw damaged(file);
  const parts = lines.slice(1, -1).map((text) => read(file, text));
  const all = (name: string): unknown[] => parts.filter(([part]) => part === name).map(([, value]) => value);
  const markets: Record<string, unknown>[] = [];
  for (const [part, value] of parts) {
    if (part === "market") markets.push({ ...(value as object), orders: [], fills: [] });
    const market = markets[markets.length - 1];
    if (part === "order") (market?.["orders"] as unknown[]).push(value);
    if (part === "fill") (market?.["fills"] as unknown[]).push(value);
  }
  // Our own lines, written whole: their shapes are those above.
  return {
    world: {
      venue: { ...(all("venue")[0] as object), markets },
      crowd: all("crowd")[0],
      symbols: all("symbols")[0],
    },
    data: all("data"),
    notes: all("notes")[0],
  } as unknown as VenueSnapshot;
}

function line(part: string, value: unknown): string {
  return JSON.stringify([part, value], (_, field: unknown) =>
    typeof field === "bigint" ? String(field) : field,
  );
}

function read(file: string, text: string): readonly [string, unknown] {
  try {
    return JSON.parse(text, (key, field: unknown) =>
      MONEY.has(key) && typeof field === "string" ? BigInt(field) : field,
    ) as [string, unknown];
  } catch (error) {
    throw damaged(file, error);
  }
}

function damaged(file: string, cause?: unknown): QuantmeshError {
  return new QuantmeshError(
    "DATA_INVALID",
    `${file} is not a whole snapshot of a venue; remove it to go on from the one before it`,
    { cause },
  );
}
