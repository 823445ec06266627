/** Metrics as a port; names and labels are listed once, in observe. */
export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  /** Adds to a counter. */
  count(name: string, labels: Labels, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, labels: Labels, value: number): void;
  /** Observes a duration or size in a histogram. */
  observe(name: string, labels: Labels, value: number): void;
}
