/** A log that keeps its lines, for tests to read. */
import type { Log, LogFields } from "../../src/domain/log.ts";

export interface KeptLine {
  readonly fields: LogFields;
  readonly event: string;
}

/** Puts every line but debug's at the end of `lines`. */
export function logInto(lines: KeptLine[], bound: LogFields = {}): Log {
  const keep = (fields: LogFields, event: string): void => {
    lines.push({ fields: { ...bound, ...fields }, event });
  };
  return {
    debug: () => undefined,
    info: keep,
    warn: keep,
    error: keep,
    child: (fields) => logInto(lines, { ...bound, ...fields }),
  };
}
