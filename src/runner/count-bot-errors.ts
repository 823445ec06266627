/** Counts the errors of each bot on their way to the metrics. */
import type { Metrics } from "../domain/metrics.ts";

/** What counts as an error of a bot: an order refused or without an answer, and what interrupts its work. */
const ERRORS: ReadonlySet<string> = new Set([
  "quantmesh_order_failure_total",
  "quantmesh_order_unknown_total",
  "quantmesh_bot_failures_total",
]);

export interface BotErrors {
  /** For the bots. */
  readonly metrics: Metrics;
  /** Since the process has started. */
  of(symbol: string): number;
}

export function countBotErrors(metrics: Metrics): BotErrors {
  const counts = new Map<string, number>();
  return {
    metrics: {
      count: (name, labels, by) => {
        metrics.count(name, labels, by);
        const { symbol } = labels;
        if (symbol !== undefined && ERRORS.has(name))
          counts.set(symbol, (counts.get(symbol) ?? 0) + (by ?? 1));
      },
      gauge: (name, labels, value) => metrics.gauge(name, labels, value),
      observe: (name, labels, value) => metrics.observe(name, labels, value),
    },
    of: (symbol) => counts.get(symbol) ?? 0,
  };
}
