/** How a bot fares, and which of its errors count. */
import { describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { conditionOf, failedByConfig, hasStopped } from "../../../src/runner/bot-condition.ts";
import type { BotRunner, BotStatus } from "../../../src/runner/bot-runner.ts";
import { countBotErrors } from "../../../src/runner/count-bot-errors.ts";
import type { BotSetup } from "../../../src/runner/open-bot.ts";

const SETUP = { market: { exchange: "x", account: "m", symbol: "A/USDT" } } as BotSetup;
const OTHER = { ...SETUP };

function runner(
  mode: BotStatus["mode"],
  { stored = "running", modeReason = "", failure = undefined as BotRunner["failure"] } = {},
): Pick<BotRunner, "setup" | "failure" | "status"> {
  const state = { mode: stored, modeReason } as BotStatus["state"];
  return { setup: SETUP, failure, status: () => ({ mode, state }) as BotStatus };
}

describe("a bot", () => {
  it("trades once it is ready with the settings that it is to have", () => {
    expect(conditionOf(runner("running"), SETUP)).toEqual({ kind: "trading" });
    expect(conditionOf(runner("waiting", { stored: "waiting" }), SETUP)).toEqual({ kind: "trading" });
    expect(conditionOf(runner("starting"), SETUP)).toEqual({ kind: "starting" });
    expect(conditionOf(runner("running"), OTHER)).toEqual({ kind: "starting" });
    expect(conditionOf(undefined, SETUP)).toEqual({ kind: "starting" });
    expect(conditionOf({ ...runner("running"), status: () => undefined }, SETUP)).toEqual({
      kind: "starting",
    });
  });

  it.each(["halted", "closing", "closed", "killed"] as const)("has stopped when it is %s", (mode) => {
    expect(hasStopped(mode)).toBe(true);
    expect(conditionOf(runner(mode, { stored: mode, modeReason: "stop_loss" }), SETUP)).toEqual({
      kind: "stopped",
      why: `${mode}: stop_loss`,
    });
  });

  it("can come back by its config only where its config has ended it", () => {
    const config = { error: new QuantmeshError("CONFIG_INVALID", "another grid\n  stored: …") };
    const contradiction = { error: new QuantmeshError("INVARIANT", "a bug") };

    expect(conditionOf(runner("failed", { failure: config }), SETUP)).toEqual({
      kind: "stopped",
      why: "another grid",
    });
    expect(failedByConfig({ failure: config })).toBe(true);
    expect(failedByConfig({ failure: contradiction })).toBe(false);
    expect(failedByConfig({ failure: { error: new TypeError("a bug") } })).toBe(false);
    expect(failedByConfig({ failure: undefined })).toBe(false);
  });
});

it("counts refused and unanswered orders and interruptions as errors of their bot, and passes all on", () => {
  const passed: unknown[] = [];
  const errors = countBotErrors({
    count: (name, labels, by) => passed.push([name, labels, by]),
    gauge: (name) => passed.push(name),
    observe: (name) => passed.push(name),
  });

  errors.metrics.count("quantmesh_order_failure_total", { symbol: "A" });
  errors.metrics.count("quantmesh_order_unknown_total", { symbol: "A" }, 2);
  errors.metrics.count("quantmesh_bot_failures_total", { symbol: "B", kind: "failed" });
  errors.metrics.count("quantmesh_fills_total", { symbol: "A" });
  errors.metrics.gauge("g", {}, 1);
  errors.metrics.observe("o", {}, 1);

  expect([errors.of("A"), errors.of("B"), errors.of("C")]).toEqual([3, 1, 0]);
  expect(passed).toHaveLength(6);
});
