/** What makes a venue this one and no other: what its journal was written under. */
import { formatDecimal } from "../../domain/decimal.ts";
import type { VenueServerOptions } from "./options.ts";

/** JSON of everything that decides what a command does; keys, limits and where prices come from may change. */
export function describeVenue({ symbols, feeAsset, selfTrade, crowd }: VenueServerOptions): string {
  return JSON.stringify(
    {
      quantmesh: "venue",
      format: 1,
      symbols: symbols.map(({ instrument, filters, fill }) => ({ instrument, filters, fill })),
      feeAsset,
      selfTrade,
      crowd: crowd ?? "none",
    },
    (_, field: unknown) => (typeof field === "bigint" ? formatDecimal(field) : field),
  );
}
