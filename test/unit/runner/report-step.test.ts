/** What the log and the metrics are told of a step agrees with the totals that the views show. */
import { expect, it } from "vitest";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { BotContext } from "../../../src/runner/bot-context.ts";
import { reportStep } from "../../../src/runner/report-step.ts";
import { NO_TOTALS, countTrade } from "../../../src/strategy/accounting.ts";
import { sampleBot, sampleTrade } from "../../contract/storage-samples.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";

it("calls only what the totals count as a trade completed: a sell of what was bought at the start is none", async () => {
  const lines: KeptLine[] = [];
  const { metrics, registry } = createMetrics();
  const context = { bot: sampleBot(), ports: { log: logInto(lines), metrics } } as unknown as BotContext;
  const trades = [
    { ...sampleTrade(1), origin: "initial" as const },
    { ...sampleTrade(2), origin: "grid" as const },
    { ...sampleTrade(3), origin: "initial" as const },
  ];

  reportStep(
    context,
    trades.map((trade) => ({ kind: "trade", trade })),
  );

  expect(lines.map(({ event, fields }) => [event, fields["slot"]])).toEqual([
    ["inventory.sold", 1],
    ["trade.completed", 2],
    ["inventory.sold", 3],
  ]);
  expect(trades.reduce(countTrade, NO_TOTALS)).toMatchObject({ trades: 1, inventorySells: 2 });
  expect(await registry.text()).toMatch(/^quantmesh_trade_count_total\{.*\} 1$/m);
});
