/** Statements that come all the time: compiled once, and kept prepared by the servers. */
import type { Compilable, CompiledQuery, Kysely, QueryResult } from "kysely";
import type { Schema } from "./schema.ts";

/** Marks the place of a value in a statement that is compiled before the value is known. */
export class Place {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const REPEATED = new WeakSet<object>();

export function markRepeated(query: CompiledQuery): void {
  REPEATED.add(query.query);
}

/** True of a query that a RepeatedQuery runs. */
export function isRepeated(query: CompiledQuery): boolean {
  return REPEATED.has(query.query);
}

/** The query with other values. (To spread an object before other fields is slow, and this runs for every statement.) */
export function withParameters(
  { query, queryId, sql }: CompiledQuery,
  parameters: readonly unknown[],
): CompiledQuery<never> {
  return { query, queryId, sql, parameters };
}

/** One statement with named values; `Values` says which. */
export class RepeatedQuery<Values extends object, Row = unknown> {
  readonly #compiled: CompiledQuery;
  readonly #names: readonly (keyof Values | undefined)[];

  /** `build` gets a stand-in for each value, of the value's type, to put where the value belongs. */
  constructor(names: readonly (keyof Values & string)[], build: (places: Values) => Compilable) {
    const places = Object.fromEntries(names.map((name) => [name, new Place(name)])) as Values;
    this.#compiled = build(places).compile();
    markRepeated(this.#compiled);
    this.#names = this.#compiled.parameters.map((value) =>
      value instanceof Place ? (value.name as keyof Values) : undefined,
    );
  }

  run(db: Kysely<Schema>, values: Values): Promise<QueryResult<Row>> {
    return db.executeQuery<Row>(this.with(values));
  }

  with(values: Values): CompiledQuery {
    const parameters = this.#names.map((name, index) =>
      name === undefined ? this.#compiled.parameters[index] : values[name],
    );
    return withParameters(this.#compiled, parameters);
  }
}
