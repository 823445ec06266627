/** The computer's own clock, for a simulated market that moves in real time. */
import type { Clock } from "../../domain/clock.ts";
import { instant } from "../../domain/ids.ts";

/** The longest delay that a timer of Node takes, 24 days: a longer one would run at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => instant(Date.now()),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};
