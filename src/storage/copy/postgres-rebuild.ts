/** Indexes, keys and references of PostgreSQL: removed before rows are loaded, and made again as they were. */
import type { PostgresSession } from "./postgres-session.ts";
import type { TableName, TableShape } from "./table-shapes.ts";

/** Statements that make an object again; stored in the target, so that a killed copy leaves them behind. */
export interface Rebuild {
  /** `index`: also of a key. `key`: a primary key or unique constraint over its index. */
  readonly kind: "index" | "key" | "reference";
  readonly table: TableName;
  readonly name: string;
  readonly create: string;
}

const INDEXES = `
  select t.relname as "table", i.relname as name, pg_get_indexdef(i.oid) as create, c.contype as constraint_type
  from pg_index x
  join pg_class i on i.oid = x.indexrelid
  join pg_class t on t.oid = x.indrelid
  left join pg_constraint c on c.conindid = i.oid and c.contype in ('p', 'u')
  where t.relkind = 'r' and t.oid = any ($1::regclass[])
  order by t.relname, i.relname`;
const REFERENCES = `
  select t.relname as "table", c.conname as name, pg_get_constraintdef(c.oid) as definition
  from pg_constraint c join pg_class t on t.oid = c.conrelid
  where c.contype = 'f' and t.oid = any ($1::regclass[])
  order by t.relname, c.conname`;

/** What the tables have now. */
export async function readRebuilds(
  session: PostgresSession,
  tables: readonly TableShape[],
): Promise<readonly Rebuild[]> {
  const names = tables.map(({ name }) => name);
  const indexes = await session.run(INDEXES, [names]);
  const references = await session.run(REFERENCES, [names]);
  return [
    ...indexes.flatMap((row): Rebuild[] => {
      const { table, name, create } = textsOf(row);
      const index: Rebuild = { kind: "index", table, name, create };
      const word = KEY_WORDS[String(row["constraint_type"])];
      if (word === undefined) return [index];
      const key = `alter table "${table}" add constraint "${name}" ${word} using index "${name}"`;
      return [index, { kind: "key", table, name, create: key }];
    }),
    ...references.map((row): Rebuild => {
      const { table, name } = textsOf(row);
      const create = `alter table "${table}" add constraint "${name}" ${String(row["definition"])}`;
      return { kind: "reference", table, name, create };
    }),
  ];
}

const KEY_WORDS: Readonly<Record<string, string>> = { p: "primary key", u: "unique" };

/** Removes what is there of them. */
export async function removeForRebuild(
  session: PostgresSession,
  rebuilds: readonly Rebuild[],
): Promise<void> {
  for (const kind of ["reference", "key", "index"] as const) {
    for (const { table, name } of rebuilds.filter((rebuild) => rebuild.kind === kind)) {
      await session.run(
        kind === "index"
          ? `drop index if exists "${name}"`
          : `alter table "${table}" drop constraint if exists "${name}"`,
      );
    }
  }
}

export async function rebuildIndex(session: PostgresSession, { create }: Rebuild): Promise<void> {
  await session.run(create);
}

/** Keys over their indexes first: references need them. */
export async function completeRebuild(session: PostgresSession, rebuilds: readonly Rebuild[]): Promise<void> {
  for (const kind of ["key", "reference"] as const) {
    for (const { create } of rebuilds.filter((rebuild) => rebuild.kind === kind)) await session.run(create);
  }
}

function textsOf(row: Readonly<Record<string, unknown>>): { table: TableName; name: string; create: string } {
  return { table: row["table"] as TableName, name: String(row["name"]), create: String(row["create"]) };
}
