/** A database that a copy fills; what it has taken survives the death of the copying process. */
import type { Lines } from "./line-text.ts";
import type { TableName, TableShape } from "./table-shapes.ts";

/**
 * How many rows of each table an unfinished copy has loaded. That there is one, the row UNFINISHED_COPY of the schema's
 * history alone says: from before the first row until both sides were found equal.
 */
export const PROGRESS_TABLE = "unfinished_copy";

/** Rows are committed, together with how many there are, each time so much text was loaded. */
export const COMMIT_BYTES = 4_000_000;

export type LoadedRows = ReadonlyMap<TableName, number>;

/** All methods throw STORAGE_UNAVAILABLE; DATA_INVALID where the database refuses a row. */
export interface CopyTarget {
  /** Names the database in messages; holds no secret. */
  readonly name: string;
  /** How many tables can be loaded, or indexes built, at once. */
  readonly lanes: number;
  /**
   * Waits until nothing that an interrupted copy has sent is under way. The rows that it has loaded; undefined where
   * there was none.
   */
  findUnfinished(): Promise<LoadedRows | undefined>;
  /** Marks the database as holding an unfinished copy, and removes what is made faster after the load. */
  begin(): Promise<void>;
  clear(table: TableShape): Promise<void>;
  /** Appends rows to the `loaded` ones; `onRows` is told how many more are durable. */
  load(
    table: TableShape,
    lines: AsyncIterable<Lines>,
    loaded: number,
    onRows: (rows: number) => void,
  ): Promise<void>;
  /** What is to be done once a table is loaded, in any order and at once. */
  rebuildsOf(table: TableShape): readonly (() => Promise<void>)[];
  /** What is to be done once every table is loaded and rebuilt. */
  completeSchema(): Promise<void>;
  /** Removes the mark: the database may be used. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** `lines` in parts of about COMMIT_BYTES, each to be committed by `commit` before the next is read. */
export async function inParts(
  lines: AsyncIterable<Lines>,
  commit: (part: AsyncIterable<Lines>) => Promise<void>,
): Promise<void> {
  const iterator = lines[Symbol.asyncIterator]();
  let next = await iterator.next();
  const part = async function* (): AsyncGenerator<Lines> {
    for (let bytes = 0; !next.done && bytes < COMMIT_BYTES; next = await iterator.next()) {
      bytes += next.value.text.length;
      yield next.value;
    }
  };
  try {
    while (!next.done) await commit(part());
  } finally {
    await iterator.return?.();
  }
}
