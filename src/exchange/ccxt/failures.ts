/** What went wrong with a read, as the port's errors; no address, no signature and no key is ever in them. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { Dialect } from "./dialect.ts";
import { ExchangeReply } from "./exchange-reply.ts";

/** `error` of ccxt, of the exchange or of ours as the failure that the port promises. */
export function failureOf(exchange: string, dialect: Dialect, call: string, error: unknown): QuantmeshError {
  if (error instanceof QuantmeshError) return error;
  const message = `${exchange}: ${describeCall(call, error)}`;
  if (!(error instanceof ExchangeReply)) return new QuantmeshError("EXCHANGE_UNAVAILABLE", message);
  const { status, code } = error;
  if (status === 429 || status === 418) return new QuantmeshError("RATE_LIMITED", message);
  const verdict = dialect.judge(status, code, error.message);
  if (verdict.kind === "refused" && verdict.reason === "rate_limited") {
    return new QuantmeshError("RATE_LIMITED", message);
  }
  if (verdict.kind === "refused" && verdict.reason === "not_authorized") {
    return new QuantmeshError("EXCHANGE_AUTH", message);
  }
  return new QuantmeshError("EXCHANGE_UNAVAILABLE", message);
}

/** ccxt's own messages hold the signed address, so only the name of its error is told. */
export function describeCall(call: string, error: unknown): string {
  if (error instanceof ExchangeReply) {
    const said = error.code === undefined ? "" : ` ${error.code} ${error.message}`;
    return `${call}: HTTP ${error.status}${said}`;
  }
  if (error instanceof QuantmeshError) return `${call}: ${error.message}`;
  return `${call}: ${error instanceof Error ? error.constructor.name : "failed"}`;
}
