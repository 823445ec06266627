/** Sets the gauges of the spool; done at each scrape, so that what is shown is of that moment. */
import type { Metrics } from "../domain/metrics.ts";
import type { FillSpool } from "../storage/storage.ts";

/** `now`: the wall clock, ms. */
export function gaugeSpool(metrics: Metrics, spool: FillSpool, now: number): void {
  const { depth, capacity, oldestAt } = spool;
  metrics.gauge("quantmesh_spool_depth", {}, depth);
  metrics.gauge("quantmesh_spool_capacity", {}, capacity);
  metrics.gauge("quantmesh_spool_age_seconds", {}, oldestAt === undefined ? 0 : (now - oldestAt) / 1000);
}
