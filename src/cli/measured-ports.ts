/** Ports that count and time every call on its way. */
import { QuantmeshError } from "../domain/errors.ts";
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { LockProvider } from "../lock/lock.ts";
import type { Storage } from "../storage/storage.ts";

/** `quantmesh_api_call_…`: the endpoint is the port's method, the status an outcome, `ok` or an error's code. */
export function measuredExchange(
  inner: Exchange,
  metrics: Metrics,
  clock: Pick<Clock, "monotonic">,
): Exchange {
  const exchange = inner.name;
  return measured(inner, clock, (endpoint, seconds, end) => {
    const status = end.kind === "failed" ? codeOf(end.error) : outcomeOf(end.answer);
    metrics.count("quantmesh_api_call_total", { exchange, endpoint, status });
    metrics.observe("quantmesh_api_call_duration_seconds", { exchange, endpoint }, seconds);
    if (status === "RATE_LIMITED") metrics.count("quantmesh_api_rate_limit_hit_total", { exchange });
  });
}

/** `quantmesh_db_…`: the operation is the port's method. */
export function measuredStorage(inner: Storage, metrics: Metrics, clock: Pick<Clock, "monotonic">): Storage {
  return measured(inner, clock, (operation, seconds, end) => {
    metrics.observe("quantmesh_db_query_duration_seconds", { operation }, seconds);
    if (end.kind === "failed") metrics.count("quantmesh_db_errors_total", { operation });
  });
}

/**
 * `quantmesh_lock_roundtrip_seconds`: the operation is the port's method, but for the one that waits. The log says when
 * the service goes away and when it is back.
 */
export function measuredLock(
  inner: LockProvider,
  backend: string,
  metrics: Metrics,
  log: Log,
  clock: Pick<Clock, "monotonic">,
): LockProvider {
  let isAway = false;
  return measured(inner, clock, (operation, seconds, end) => {
    if (operation === "acquire" || operation === "close") return;
    metrics.observe("quantmesh_lock_roundtrip_seconds", { backend, operation }, seconds);
    const fails = end.kind === "failed";
    if (fails === isAway) return;
    isAway = fails;
    if (end.kind === "failed") log.warn({ backend, error: end.error }, "lock.unavailable");
    else log.info({ backend }, "lock.available");
  });
}

type End =
  | { readonly kind: "answered"; readonly answer: unknown }
  | { readonly kind: "failed"; readonly error: unknown };

function measured<Port extends object>(
  inner: Port,
  clock: Pick<Clock, "monotonic">,
  report: (method: string, seconds: number, end: End) => void,
): Port {
  return new Proxy(inner, {
    get(port, property): unknown {
      const value: unknown = Reflect.get(port, property, port);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const started = clock.monotonic();
        const answer: unknown = Reflect.apply(value, port, args);
        if (!(answer instanceof Promise)) return answer;
        const end = (how: End): void => report(String(property), (clock.monotonic() - started) / 1000, how);
        return answer.then(
          (result: unknown) => {
            end({ kind: "answered", answer: result });
            return result;
          },
          (error: unknown) => {
            end({ kind: "failed", error });
            throw error;
          },
        );
      };
    },
  });
}

function outcomeOf(answer: unknown): string {
  const isOutcome = typeof answer === "object" && answer !== null && "kind" in answer;
  return isOutcome ? String(answer.kind) : "ok";
}

function codeOf(error: unknown): string {
  return error instanceof QuantmeshError ? error.code : "failed";
}
