/** The condition of a next page: rows that come after a key where rows are listed from the largest key down. */
import { sql } from "kysely";
import type { Expression, ExpressionBuilder, SqlBool, StringReference } from "kysely";

/**
 * True of rows whose `columns` are below `key`, compared one after the other. The first column stands alone in front:
 * every database finds the rows by its index, also those that compare whole rows by none.
 */
export function isBelow<Tables, Table extends keyof Tables>(
  eb: ExpressionBuilder<Tables, Table>,
  columns: readonly StringReference<Tables, Table>[],
  key: readonly (string | number)[],
): Expression<SqlBool> {
  const [column, ...otherColumns] = columns;
  const [value, ...otherValues] = key;
  if (column === undefined) return eb.lit(false);
  const compare = (operator: "<" | "=" | "<="): Expression<SqlBool> =>
    sql<SqlBool>`${eb.ref(column)} ${sql.raw(operator)} ${value}`;
  if (otherColumns.length === 0) return compare("<");
  const tie = eb.and([compare("="), isBelow(eb, otherColumns, otherValues)]);
  return eb.and([compare("<="), eb.or([compare("<"), tie])]);
}
