/** Stops one bot's session: what becomes of its orders and of what it holds. */
import { workingOrders } from "../strategy/working-orders.ts";
import type { BotSession } from "./bot-session.ts";

/** What becomes of the orders and the inventory when a bot is stopped. */
export type ExitMode = "leave" | "cancel" | "close";

/** The reason of a bot's mode after `close`: the next start begins anew. */
export const CLOSED_ON_EXIT = "closed_on_exit";

const FLAT_CHECK_MS = 50;

/**
 * Places nothing new and waits for the answers of what was sent. Resting orders stay (`leave`), are cancelled
 * (`cancel`), or are cancelled and all that is held is sold (`close`); for the latter two it waits at most `limitMs`.
 */
export async function stopSession(
  session: BotSession,
  reason: string,
  exit: ExitMode,
  limitMs: number,
): Promise<void> {
  const { activity, log } = session.ports;
  const at = session.exchangeClock.now();
  if (exit === "close") await session.post({ kind: "control", at, action: "close", reason: CLOSED_ON_EXIT });
  else await session.post({ kind: "control", at, action: exit === "leave" ? "stop" : exit, reason });
  await activity.whenIdle();
  if (exit !== "leave" && !(await isFlatWithin(session, limitMs))) {
    log.warn({ symbol: session.bot.market.symbol, exit, limitMs }, "bot.exit_unfinished");
  }
  session.end();
}

/** True once nothing works any more; false where that takes longer than `limitMs`. */
async function isFlatWithin(session: BotSession, limitMs: number): Promise<boolean> {
  const { activity, clock } = session.ports;
  const deadline = clock.monotonic() + limitMs;
  const isFlat = (): boolean =>
    workingOrders(session.state()).length === 0 && session.state().mode !== "closing";
  await activity.run(async () => {
    while (!isFlat() && clock.monotonic() < deadline)
      await activity.pause(clock, FLAT_CHECK_MS, session.signal);
  });
  return isFlat();
}
