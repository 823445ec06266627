/** A limit for waits that have none of their own. */
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError } from "../../domain/errors.ts";

/** Throws EXCHANGE_UNAVAILABLE where `promise` takes longer; what becomes of it later is nobody's business. */
export async function withinLimit<Value>(
  promise: Promise<Value>,
  limitMs: number,
  clock: Clock,
): Promise<Value> {
  let cancel: () => void = () => undefined;
  const limit = new Promise<never>((_, reject) => {
    cancel = clock.after(limitMs, () => {
      reject(new QuantmeshError("EXCHANGE_UNAVAILABLE", `no answer within ${limitMs} ms`));
    });
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    cancel();
  }
}
