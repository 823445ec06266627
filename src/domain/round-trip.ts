/** How long a server takes to answer and how far its clock is off, from a few questions. */

/** One question: `sent` and `received` by this computer's clock, `told` by the server's where it tells; ms since 1970. */
export interface RoundTrip {
  readonly sent: number;
  readonly received: number;
  readonly told?: number;
}

/** The middle of an odd number of values, the upper one of an even number; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export function medianMs(trips: readonly RoundTrip[]): number {
  return median(trips.map(({ sent, received }) => received - sent));
}

/**
 * How far the server's clock is ahead of ours, ms, and how wrong that may be: half of the quickest round trip, whose answer
 * is taken to be of its middle.
 */
export function clockOffset(trips: readonly RoundTrip[]): {
  readonly aheadMs: number;
  readonly errorMs: number;
} {
  const quickest = trips.toSorted((a, b) => a.received - a.sent - (b.received - b.sent))[0];
  if (quickest?.told === undefined) return { aheadMs: Number.NaN, errorMs: Number.NaN };
  const { sent, received, told } = quickest;
  return { aheadMs: told - (sent + received) / 2, errorMs: (received - sent) / 2 };
}

/** `0.4 ms`, `12 ms`. */
export function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** `12 ms ahead of this computer's`, to the millisecond. */
export function formatOffset(aheadMs: number): string {
  const ms = Math.round(Math.abs(aheadMs));
  return `${ms} ms ${aheadMs < 0 ? "behind" : "ahead of"} this computer's`;
}
