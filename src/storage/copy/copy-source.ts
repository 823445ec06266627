/** One consistent snapshot of a database, read table by table. */
import type { Lines } from "./line-text.ts";
import type { TableShape } from "./table-shapes.ts";

/** What others write after it was opened is not seen. All methods throw STORAGE_UNAVAILABLE. */
export interface CopySource {
  /** Names the database in messages; holds no secret. */
  readonly name: string;
  /** How many tables can be read at once. */
  readonly lanes: number;
  /** The names in the history of the schema; none where quantmesh never worked with the database. */
  history(): Promise<readonly string[]>;
  countRows(table: TableShape): Promise<number>;
  /** Every row, in an order that stays the same while nothing changes; amounts in their shortest form. */
  read(table: TableShape): AsyncIterable<Lines>;
  close(): Promise<void>;
}
