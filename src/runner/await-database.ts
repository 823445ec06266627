/** Waits for a database that is away, asking it again and again, and hands over to it what the spool has kept. */
import { hasCode } from "../domain/errors.ts";
import type { BotContext } from "./bot-context.ts";

/** Between two questions: longer and longer, and never all bots at once. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/** Resolves once the database takes writes and has all that the spool kept for it, or when the session ends. */
export async function awaitDatabase({ ports, bot, signal }: BotContext): Promise<void> {
  const { activity, clock, storage, replaySpool, random, log } = ports;
  for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    await activity.pause(clock, pause * (0.5 + random()), signal);
    if (signal.aborted) return;
    try {
      await replaySpool();
      await storage.ping();
      return;
    } catch (error) {
      if (!hasCode(error, "STORAGE_UNAVAILABLE")) throw error;
      log.debug({ symbol: bot.market.symbol, error }, "storage.still_away");
    }
  }
}
