/** Inserts many rows of one table by a few statements of fixed sizes, each compiled once. */
import type { Compilable, CompiledQuery, Kysely } from "kysely";
import type { Schema } from "./schema.ts";
import { Place, markRepeated, withParameters } from "./repeated-query.ts";

/** Rows of one statement: databases bound the number of its parameters, and each size is a statement of its own. */
const SIZES = [500, 25, 1] as const;

export class RepeatedInsert<Row extends object> {
  readonly #columns: readonly (keyof Row)[];
  readonly #build: (rows: readonly Row[]) => Compilable;
  readonly #compiled = new Map<number, CompiledQuery>();

  /** `build` gets stand-ins for rows; it must insert them in their order, with their columns in theirs. */
  constructor(columns: readonly (keyof Row & string)[], build: (rows: readonly Row[]) => Compilable) {
    this.#columns = columns;
    this.#build = build;
  }

  async run(db: Kysely<Schema>, rows: readonly Row[]): Promise<void> {
    for (const query of this.with(rows)) await db.executeQuery(query);
  }

  *with(rows: readonly Row[]): Iterable<CompiledQuery> {
    let from = 0;
    for (const size of SIZES) {
      for (; rows.length - from >= size; from += size) {
        const parameters: unknown[] = [];
        for (let index = from; index < from + size; index += 1) {
          const row = rows[index] as Row;
          for (const column of this.#columns) parameters.push(row[column]);
        }
        yield withParameters(this.#queryOf(size), parameters);
      }
    }
  }

  #queryOf(size: number): CompiledQuery {
    const known = this.#compiled.get(size);
    if (known) return known;
    const row = Object.fromEntries(this.#columns.map((name) => [name, new Place(String(name))]));
    const compiled = this.#build(Array.from({ length: size }, () => row as Row)).compile();
    markRepeated(compiled);
    this.#compiled.set(size, compiled);
    return compiled;
  }
}
