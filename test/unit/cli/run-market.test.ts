/** When an instance stops to let its market move. */
import { expect, it } from "vitest";
import { runMarket } from "../../../src/cli/run-market.ts";
import type { Idle } from "../../../src/exchange/sim/drive.ts";

/** As with many bots on a fast market of others: one of them is always at work. */
const NEVER_IDLE: Idle = { isIdle: () => false, whenIdle: async () => new Promise(() => undefined) };
/** A market that others move. */
const MOVING = {
  drive: async (_idle: Idle, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve());
    }),
};
const NOBODY_FAILS = new Promise<never>(() => undefined);

it("ends when it is told to, although its bots are never idle at the same time", async () => {
  const stopping = new AbortController();
  const running = runMarket(NEVER_IDLE, MOVING, NOBODY_FAILS, stopping.signal);

  stopping.abort();

  await expect(within5s(running)).resolves.toBe("ended");
});

it("ends at once where it was told to before", async () => {
  await expect(within5s(runMarket(NEVER_IDLE, MOVING, NOBODY_FAILS, AbortSignal.abort()))).resolves.toBe(
    "ended",
  );
});

it("waits for its bots where the market has ended by itself", async () => {
  let isIdle = false;
  const idle: Idle = {
    isIdle: () => isIdle,
    whenIdle: async () => {
      isIdle = true;
    },
  };

  await runMarket(idle, { drive: async () => undefined }, NOBODY_FAILS, new AbortController().signal);

  expect(isIdle).toBe(true);
});

it("throws what all bots have failed of, and lets the market stand still", async () => {
  let isOver = false;
  const market = {
    drive: async (_idle: Idle, signal: AbortSignal) => {
      signal.addEventListener("abort", () => {
        isOver = true;
      });
      return new Promise<void>(() => undefined);
    },
  };

  const running = runMarket(
    NEVER_IDLE,
    market,
    Promise.resolve(new Error("no disk")),
    new AbortController().signal,
  );

  await expect(running).rejects.toThrow("no disk");
  expect(isOver).toBe(true);
});

async function within5s(work: Promise<void>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, 5_000, "still running");
  });
  try {
    return await Promise.race([work.then(() => "ended"), limit]);
  } finally {
    clearTimeout(timer);
  }
}
