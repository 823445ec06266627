/** `quantmesh db upgrade | rollback | status`: the schema of one database, on which no instance runs. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { DatabaseAddress } from "../dsn.ts";
import { holdInstanceLock } from "../instance-lock.ts";
import { SCHEMA_VERSION } from "../migrations/migrate.ts";
import { migrate, refuseForeignFile, refuseOwners, schemaOf, withSnapshot } from "./copy-between.ts";
import { refuseMemory, requireFile } from "./open-ends.ts";
import type { TableName } from "./table-shapes.ts";
import { TABLES } from "./table-shapes.ts";

export interface SchemaStatus {
  readonly database: string;
  readonly version: number;
  /** The version that this quantmesh works with. */
  readonly newest: number;
  readonly isUnfinishedCopy: boolean;
  /** Of each table; undefined where the schema is not the newest. */
  readonly rows: readonly (readonly [table: TableName, rows: number])[] | undefined;
}

export interface SchemaChangeReport {
  readonly database: string;
  readonly before: number;
  readonly after: number;
}

/** Changes nothing. Throws CONFIG_INVALID, STORAGE_UNAVAILABLE. */
export async function readStatus(address: DatabaseAddress): Promise<SchemaStatus> {
  refuseMemory(address);
  return withSnapshot(address, async (source) => {
    const { version, isUnfinished } = await schemaOf(source);
    const rows: (readonly [TableName, number])[] = [];
    if (version === SCHEMA_VERSION) {
      for (const table of TABLES) rows.push([table.name, await source.countRows(table)]);
    }
    return {
      database: source.name,
      version,
      newest: SCHEMA_VERSION,
      isUnfinishedCopy: isUnfinished,
      rows: version === SCHEMA_VERSION ? rows : undefined,
    };
  });
}

/** Brings the schema up to date. Throws CONFIG_INVALID, ALREADY_RUNNING, STORAGE_UNAVAILABLE. */
export function upgradeSchema(address: DatabaseAddress): Promise<SchemaChangeReport> {
  return changeSchema(address, async () => SCHEMA_VERSION);
}

/**
 * Takes the schema back to `version`, by default one back. What only newer versions store is removed, so that a
 * database with rows is refused without `force`. Throws as `upgradeSchema`.
 */
export function rollbackSchema(
  address: DatabaseAddress,
  version: number | undefined,
  force: boolean,
): Promise<SchemaChangeReport> {
  return changeSchema(address, async (status) => {
    const goal = version ?? Math.max(0, status.version - 1);
    if (goal >= status.version) {
      throw new QuantmeshError(
        "CONFIG_INVALID",
        `${status.database} has schema version ${status.version}: there is nothing to take back to version ${goal}`,
      );
    }
    const isEmpty = status.rows?.every(([, rows]) => rows === 0) ?? false;
    if (isEmpty || force) return goal;
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${status.database} is not empty, and version ${goal} cannot hold what version ${status.version} has stored: ` +
        "make a backup with `quantmesh db backup`, then add --force",
    );
  });
}

async function changeSchema(
  address: DatabaseAddress,
  goalOf: (status: SchemaStatus) => Promise<number>,
): Promise<SchemaChangeReport> {
  refuseMemory(address);
  if (address.type === "sqlite") requireFile(address.file);
  await refuseForeignFile(address);
  const lock = await holdInstanceLock(address);
  try {
    const status = await readStatus(address);
    const goal = await goalOf(status);
    if (address.type !== "sqlite" && goal < status.version) await refuseOwners(address);
    await migrate(address, goal);
    return { database: status.database, before: status.version, after: goal };
  } finally {
    lock.release();
  }
}
