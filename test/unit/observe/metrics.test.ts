/** The metric list and its guard: only listed names, with exactly their labels. */
import performanceHooks from "node:perf_hooks";
import { describe, expect, it, vi } from "vitest";
import { METRICS } from "../../../src/observe/metric-list.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";

const MARKET = { exchange: "sim", symbol: "BTC/USDT" };

describe("metrics", () => {
  it("shows counters, gauges and histograms with their labels", async () => {
    const { metrics, registry } = createMetrics();

    metrics.count("quantmesh_fills_total", { ...MARKET, side: "buy" });
    metrics.count("quantmesh_fills_total", { ...MARKET, side: "buy" }, 2);
    metrics.gauge("quantmesh_pnl_realized", MARKET, -1.5);
    metrics.observe("quantmesh_order_duration_seconds", MARKET, 0.03);

    const page = await registry.text();
    expect(page).toContain('quantmesh_fills_total{exchange="sim",symbol="BTC/USDT",side="buy"} 3\n');
    expect(page).toContain('quantmesh_pnl_realized{exchange="sim",symbol="BTC/USDT"} -1.5\n');
    expect(page).toContain(
      'quantmesh_order_duration_seconds_bucket{le="0.025",exchange="sim",symbol="BTC/USDT"} 0\n',
    );
    expect(page).toContain(
      'quantmesh_order_duration_seconds_bucket{le="0.05",exchange="sim",symbol="BTC/USDT"} 1\n',
    );
  });

  it("shows every metric of the list, and the process's under their standard names", async () => {
    const page = await createMetrics().registry.text();

    for (const [name, { type, help }] of Object.entries(METRICS)) {
      expect(page).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
    expect(page).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(page).toContain("nodejs_eventloop_lag_seconds");
  });

  it("keeps two instances in one process apart", async () => {
    const [one, other] = [createMetrics(), createMetrics()];

    one.metrics.gauge("quantmesh_mailbox_depth", MARKET, 7);

    expect(await other.registry.text()).not.toContain("quantmesh_mailbox_depth{");
  });

  it("measures the process once, however many instances run in it", async () => {
    createMetrics();
    const watch = vi.spyOn(performanceHooks, "monitorEventLoopDelay");

    const page = await createMetrics().registry.text();

    expect(watch).not.toHaveBeenCalled();
    expect(page.match(/^process_resident_memory_bytes /gm)).toHaveLength(1);
  });

  it.each([
    ["an unknown name", "quantmesh_nope_total", MARKET],
    ["a name of another type", "quantmesh_current_price", MARKET],
    ["a missing label", "quantmesh_fills_total", MARKET],
    ["a label too many", "quantmesh_trade_count_total", { ...MARKET, price: "30000" }],
    ["a misnamed label", "quantmesh_fills_total", { ...MARKET, site: "buy" }],
  ])("refuses to count %s", (_, name, labels) => {
    const { metrics } = createMetrics();

    expect(() => metrics.count(name, labels)).toThrow(expect.objectContaining({ code: "INVARIANT" }));
  });

  it("refuses a gauge or histogram that is not on the list as such", () => {
    const { metrics } = createMetrics();
    const broken = expect.objectContaining({ code: "INVARIANT" });

    expect(() => metrics.gauge("quantmesh_fills_total", { ...MARKET, side: "buy" }, 1)).toThrow(broken);
    expect(() => metrics.observe("quantmesh_current_price", MARKET, 1)).toThrow(broken);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("refuses to count %d", (by) => {
    const { metrics } = createMetrics();

    expect(() => metrics.count("quantmesh_trade_count_total", MARKET, by)).toThrow(
      expect.objectContaining({ code: "INVARIANT" }),
    );
  });

  it("lists names that begin with quantmesh_, and counters that end in _total", () => {
    // A gauge under the name that dashboards of the Go project ask for: profit can fall.
    const { quantmesh_pnl_total: pnl, ...others } = METRICS;
    expect(pnl?.type).toBe("gauge");
    for (const [name, { type }] of Object.entries(others)) {
      expect(name).toMatch(/^quantmesh_[a-z_]+$/);
      expect(name.endsWith("_total")).toBe(type === "counter");
      if (type === "histogram") expect(name).toMatch(/_seconds$/);
      if (type === "counter") expect(name).not.toMatch(/_seconds$/);
    }
  });

  it("has no price, order or trade among its labels: their number has no bound", () => {
    const labels = new Set(Object.values(METRICS).flatMap((spec) => spec.labels));

    expect([...labels].toSorted()).toEqual([
      "asset",
      "backend",
      "endpoint",
      "exchange",
      "kind",
      "limit",
      "mode",
      "operation",
      "reason",
      "resource",
      "side",
      "status",
      "stream_type",
      "symbol",
      "type",
    ]);
  });
});
