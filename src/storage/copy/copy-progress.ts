/** Who is told how far a long piece of work is. */

export interface Progress {
  /** `what` in words, `total` in `unit`. */
  begin(what: string, total: number, unit: string): void;
  add(done: number): void;
  end(): void;
}

export const NO_PROGRESS: Progress = {
  begin: () => undefined,
  add: () => undefined,
  end: () => undefined,
};
