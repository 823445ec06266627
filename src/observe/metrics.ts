/** The Metrics port over prom-client: names and labels are those of the metric list, and no others. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import { invariant } from "../domain/assert.ts";
import type { Labels, Metrics } from "../domain/metrics.ts";
import type { MetricSpec } from "./metric-list.ts";
import { METRICS } from "./metric-list.ts";

/** All metrics of one instance as a page in Prometheus' text format. */
export interface MetricsPage {
  readonly contentType: string;
  text(): Promise<string>;
}

let processRegistry: Registry | undefined;

/** The process's own metrics, collected once: what prom-client measures them with runs until the process ends. */
function processMetrics(): Registry {
  if (!processRegistry) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return processRegistry;
}

/**
 * Metrics with a registry of their own, and the process's metrics under their standard names.
 * Recording under an unknown name, with other labels or with a number that is none throws INVARIANT.
 */
export function createMetrics(): { readonly metrics: Metrics; readonly registry: MetricsPage } {
  const registry = new Registry();
  const counters = collect("counter", (options) => new Counter({ ...options, registers: [registry] }));
  const gauges = collect("gauge", (options) => new Gauge({ ...options, registers: [registry] }));
  const histograms = collect("histogram", (options) => new Histogram({ ...options, registers: [registry] }));
  const page = Registry.merge([registry, processMetrics()]);
  return {
    metrics: {
      count(name, labels, by = 1) {
        invariant(by >= 0, `counter ${name} cannot change by ${by}`);
        find(counters, "counter", name, labels, by).inc(labels, by);
      },
      gauge(name, labels, value) {
        find(gauges, "gauge", name, labels, value).set(labels, value);
      },
      observe(name, labels, value) {
        find(histograms, "histogram", name, labels, value).observe(labels, value);
      },
    },
    registry: { contentType: page.contentType, text: () => page.metrics() },
  };
}

interface MetricOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: string[];
  readonly buckets?: number[];
}

function collect<Made>(
  type: MetricSpec["type"],
  make: (options: MetricOptions) => Made,
): ReadonlyMap<string, Made> {
  const ofType = Object.entries(METRICS).filter(([, spec]) => spec.type === type);
  return new Map(
    ofType.map(([name, { help, labels, buckets }]) => [
      name,
      make({ name, help, labelNames: [...labels], ...(buckets ? { buckets: [...buckets] } : {}) }),
    ]),
  );
}

function find<Made>(
  made: ReadonlyMap<string, Made>,
  type: MetricSpec["type"],
  name: string,
  labels: Labels,
  value: number,
): Made {
  const metric = made.get(name);
  invariant(metric !== undefined, `"${name}" is not a ${type} of the metric list`);
  const given = Object.keys(labels).toSorted().join(",");
  const listed = METRICS[name]?.labels.toSorted().join(",");
  invariant(given === listed, `${name} has the labels {${listed}}, not {${given}}`);
  invariant(Number.isFinite(value), `${value} is not a value of ${name}`);
  return metric;
}
