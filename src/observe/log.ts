/** The Log port over pino: one JSON line per event on a stream. */
import { pino } from "pino";
import type { Log, LogFields } from "../domain/log.ts";
import { redact } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  /** The least severe level that is written. */
  readonly level: LogLevel;
  /** Where lines go; stdout if left out. */
  readonly stream?: { write(line: string): void };
}

/** The names that every line has; a field of the same name gets a trailing `_`. */
const RESERVED = new Set(["level", "time", "event"]);

/**
 * A log whose lines are `{"level","time" (ISO),…fields,"event"}`.
 * Secrets are redacted, bigints are decimal text, errors are {code, message, cause}; their stacks only at `debug`.
 */
export function createLog({ level, stream }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "event",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream ?? pino.destination({ dest: 1, sync: true }),
  );
  const withFields = (bound: LogFields): Log => {
    const at = (severity: LogLevel) => (fields: LogFields, event: string) => {
      if (logger.isLevelEnabled(severity)) logger[severity](lineOf({ ...bound, ...fields }, level), event);
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => withFields({ ...bound, ...fields }),
    };
  };
  return withFields({});
}

function lineOf(fields: LogFields, level: LogLevel): object {
  const named = Object.entries(fields).map(([key, value]) => [RESERVED.has(key) ? `${key}_` : key, value]);
  return Object(redact(Object.fromEntries(named), { stacks: level === "debug" }));
}
