/** Lets the market move until its data end, all bots have failed or somebody wants an end. */
import type { Idle } from "../exchange/sim/drive.ts";
import type { Market } from "./open-market.ts";

/** Where `signal` wants an end, it waits for nobody: in a market that others move, all bots may never be idle at once. */
export async function runMarket(
  bots: Idle,
  market: Pick<Market, "drive">,
  failed: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  // Not AbortSignal.any, which Node has let go of too early (nodejs/node#57736).
  const over = new AbortController();
  const stop = (): void => over.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const failure = failed.then((error) => {
    stop();
    throw error;
  });
  try {
    await Promise.race([market.drive(bots, over.signal), failure]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
  if (!signal.aborted) await bots.whenIdle();
}
