/** Structured logging as a port: an event name and its fields, never prose, never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, event: string): void;
  info(fields: LogFields, event: string): void;
  warn(fields: LogFields, event: string): void;
  error(fields: LogFields, event: string): void;
  /** A log whose every line carries `fields`. */
  child(fields: LogFields): Log;
}
