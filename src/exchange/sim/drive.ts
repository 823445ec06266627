/** Moves a simulated market: as fast as the bots are idle in a replay, in real time in a walk. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { invariant } from "../../domain/assert.ts";
import type { Clock } from "../../domain/clock.ts";
import type { Hints } from "./hints.ts";
import type { SimWorld } from "./sim-world.ts";
import type { UnderWay } from "./under-way.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** Whether everybody who acts on the market has finished with what they know of it. */
export interface Idle {
  isIdle(): boolean;
  /** Resolves when idle; may resolve early. */
  whenIdle(): Promise<void>;
}

/** After so many moves signals, timers and requests of the real world have their turn. */
const MOVES_PER_TURN = 500;

interface Stage {
  readonly world: SimWorld;
  readonly hints: Hints;
  readonly underWay: UnderWay;
}

/**
 * Replays until the data ends and all is idle, or until `signal` aborts. Each move goes to the next timer or the
 * next point, whichever is earlier (the timer where both are), and only when all is idle or waits for what is late.
 */
export async function driveReplay(
  stage: Stage & { readonly clock: VirtualClock },
  idle: Idle,
  signal: AbortSignal,
): Promise<void> {
  const { hints, underWay } = stage;
  underWay.open();
  try {
    for (let moves = 1; !signal.aborted; moves += 1) {
      if (hints.arePending) {
        await Promise.resolve();
      } else if (idle.isIdle()) {
        if (!moveOnce(stage)) return;
      } else if (underWay.isAwaited) {
        // Whoever does not wait for what is late has gone on after a turn of the event loop.
        await nextTurn();
        if (underWay.isAwaited && !hints.arePending && !idle.isIdle()) moveOnce(stage);
      } else {
        await unlessAborted(Promise.race([idle.whenIdle(), underWay.whenAwaited()]), signal);
      }
      if (moves % MOVES_PER_TURN === 0) await nextTurn();
    }
  } finally {
    underWay.close();
  }
}

/** False where the data have ended and nothing is under way any more. */
function moveOnce({ world, hints, underWay, clock }: Stage & { readonly clock: VirtualClock }): boolean {
  const pointAt = world.nextPointAt;
  if (pointAt === undefined && underWay.isEmpty) return false;
  const timerAt = clock.nextTimerAt();
  if (timerAt !== undefined && (pointAt === undefined || timerAt <= pointAt)) {
    if (timerAt > clock.now()) world.passTime(timerAt);
    clock.advanceTo(timerAt);
    clock.runDueTimer();
  } else if (pointAt !== undefined) {
    const point = world.advance(pointAt);
    clock.advanceTo(pointAt);
    hints.deliverPoint(point, world.time, world.takeEvents());
  }
  return true;
}

/** Walks one point after the other, each when its time has come, until `signal` aborts. */
export async function driveWalk(
  { world, hints, underWay, clock }: Stage & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  let before: number = world.lastPointAt ?? 0;
  underWay.open();
  try {
    while (!signal.aborted) {
      const next = world.nextPointAt;
      invariant(next !== undefined, "a walk has no end");
      await delay(clock, next - before, signal);
      before = next;
      if (signal.aborted) return;
      const point = world.advance(clock.now());
      hints.deliverPoint(point, world.time, world.takeEvents());
    }
  } finally {
    underWay.close();
  }
}

/** Resolves after `delayMs` or when `signal` aborts. */
async function delay(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  let cancel: () => void = () => undefined;
  const elapsed = new Promise<void>((resolve) => {
    cancel = clock.after(delayMs, resolve);
  });
  await unlessAborted(elapsed, signal);
  cancel();
}

async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
