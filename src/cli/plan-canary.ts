/** The options of `config set --canary`, and the roll-out that they ask for. */
import type { Command } from "commander";
import type { Config } from "../config/schema.ts";
import type { changedKeys } from "../config/shared-config.ts";
import type { RollOutPlan } from "../coordination/roll-out.ts";
import { canaryOf } from "../coordination/roll-out.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { hasStopped } from "../runner/bot-condition.ts";
import { changedSymbols } from "./canary-config.ts";
import { openExisting } from "./open-existing.ts";
import { parseCount, parsePercent, parseWholeNumber } from "./parse-options.ts";

export interface CanaryOptions {
  /** Percent; undefined: all bots at once. */
  readonly canary: number;
  /** Seconds. */
  readonly window: number;
  readonly maxErrors: number;
  readonly maxHalted: number;
  readonly manual: boolean;
}

const DEFAULTS = { window: 60, maxErrors: 10, maxHalted: 0, manual: false };

export function addCanaryOptions(command: Command): void {
  command
    .option(
      "--canary <share>",
      "let this share of the bots that it changes run it first, like 10%",
      parsePercent("--canary"),
    )
    .option(
      "--window <seconds>",
      `with --canary: how long they must trade before the others follow (${DEFAULTS.window})`,
      parseWholeNumber("--window"),
    )
    .option(
      "--max-errors <count>",
      `with --canary: more errors of theirs roll it back (${DEFAULTS.maxErrors})`,
      parseCount("--max-errors"),
    )
    .option(
      "--max-halted <count>",
      `with --canary: more of them that halt roll it back (${DEFAULTS.maxHalted})`,
      parseCount("--max-halted"),
    )
    .option("--manual", "with --canary: the others follow on `config promote` only");
}

interface Change {
  readonly config: Config;
  readonly file: string;
  readonly before: Config;
  readonly after: Config;
  readonly changes: ReturnType<typeof changedKeys>;
  readonly version: number;
  readonly by: string;
}

/** Throws CONFIG_INVALID where the change cannot be tried by some bots alone. */
export async function planCanary(
  { config, file, before, after, changes, version, by }: Change,
  options: Partial<CanaryOptions>,
): Promise<{ readonly plan: RollOutPlan; readonly who: string }> {
  const { canary: percent = 100, window, maxErrors, maxHalted, manual } = { ...DEFAULTS, ...options };
  const whole = changes.filter(({ effect }) => effect === "restart").map(({ key }) => key);
  const changed = changedSymbols(before, after);
  if (whole.length > 0 || changed.length === 0) {
    const what = whole.length > 0 ? `${whole.join(", ")} is of whole instances` : "no bot changes";
    throw new QuantmeshError("CONFIG_INVALID", `${what}: set it without --canary`);
  }
  const canary = canaryOf(changed, version, percent);
  return {
    plan: {
      percent,
      windowMs: window * 1000,
      maxErrors,
      maxHalted,
      isAutomatic: !manual,
      stoppedBefore: await stoppedOf(canary, config, file),
      by,
      at: Date.now(),
    },
    who: `first by ${canary.join(", ")} (${canary.length} of ${changed.length} bots that change)`,
  };
}

/** Those of `canary` that stand still already. */
async function stoppedOf(
  canary: readonly string[],
  config: Config,
  file: string,
): Promise<readonly string[]> {
  const storage = await openExisting(config, file);
  try {
    const bots = await storage.listBots();
    const stopped = bots.filter(({ mode }) => hasStopped(mode)).map(({ bot }) => bot.market.symbol);
    return canary.filter((symbol) => stopped.includes(symbol));
  } finally {
    await storage.close();
  }
}
