/** Time as a port: the wall and monotonic clocks and timers of the real or the virtual world. */
import type { Instant } from "./ids.ts";

export interface Clock {
  /** Wall time; may jump. Never used for deadlines. */
  now(): Instant;
  /** Milliseconds on a clock that only moves forward; its zero means nothing. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}
