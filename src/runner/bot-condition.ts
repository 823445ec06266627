/** How a bot fares: whether it trades with the settings that it is to have. */
import type { BotMode } from "../domain/grid.ts";
import { hasCode } from "../domain/errors.ts";
import type { BotRunner } from "./bot-runner.ts";
import type { BotSetup } from "./open-bot.ts";

export type BotCondition =
  /** It is not here, or not yet with these settings. */
  | { readonly kind: "starting" }
  | { readonly kind: "trading" }
  /** It trades no more until somebody sees to it. */
  | { readonly kind: "stopped"; readonly why: string };

type Watched = Pick<BotRunner, "setup" | "failure" | "status">;

const STOPPED: ReadonlySet<string> = new Set<BotMode>(["halted", "closing", "closed", "killed"]);

/** `setup`: what it is to have. */
export function conditionOf(runner: Watched | undefined, setup: BotSetup | undefined): BotCondition {
  if (!runner) return { kind: "starting" };
  if (runner.failure) return { kind: "stopped", why: describe(runner.failure.error) };
  // Its settings are compared as the object that they were handed over as.
  if (runner.setup !== setup) return { kind: "starting" };
  const status = runner.status();
  if (!status || status.mode === "starting") return { kind: "starting" };
  if (!hasStopped(status.state.mode)) return { kind: "trading" };
  const { modeReason } = status.state;
  return { kind: "stopped", why: modeReason === "" ? status.mode : `${status.mode}: ${modeReason}` };
}

/** True of a mode in which a bot trades no more until somebody sees to it. */
export function hasStopped(mode: BotMode): boolean {
  return STOPPED.has(mode);
}

/** True of a bot that a change of its config can bring back: nothing else but its config has ended it. */
export function failedByConfig({ failure }: Pick<BotRunner, "failure">): boolean {
  return failure !== undefined && hasCode(failure.error, "CONFIG_INVALID");
}

function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0] ?? "";
}
