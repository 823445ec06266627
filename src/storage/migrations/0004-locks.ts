/** The fourth schema: locks of names, with expiry by the database's clock. */
import type { DialectTraits } from "../dialect.ts";
import type { SchemaChange } from "./schema-change.ts";
import { createOnce, createTable } from "./schema-change.ts";

export function locks(traits: DialectTraits): SchemaChange {
  return {
    up: async (db) => {
      await createOnce(traits, () =>
        createTable(db, traits, "locks")
          .addColumn("name", "varchar(255)", (column) => column.notNull())
          .addColumn("fleet", "varchar(64)", (column) => column.notNull())
          .addColumn("epoch", "bigint", (column) => column.notNull())
          .addColumn("token", "varchar(64)", (column) => column.notNull())
          .addColumn("fence", "bigint", (column) => column.notNull())
          .addColumn("expires_at", "bigint", (column) => column.notNull())
          .addPrimaryKeyConstraint("locks_key", ["name"])
          .execute(),
      );
    },
    down: async (db) => {
      await db.schema.dropTable("locks").ifExists().execute();
    },
  };
}
