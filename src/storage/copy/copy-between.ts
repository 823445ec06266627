/** `quantmesh db copy` and `db verify`: everything around the copy that keeps it from doing harm. */
import { realpathSync } from "node:fs";
import { sql } from "kysely";
import { QuantmeshError } from "../../domain/errors.ts";
import { openDatabase } from "../create-storage.ts";
import type { DatabaseAddress } from "../dsn.ts";
import { describeAddress } from "../dsn.ts";
import { holdInstanceLock } from "../instance-lock.ts";
import { SCHEMA_VERSION, UNFINISHED_COPY, migrateTo } from "../migrations/migrate.ts";
import type { CopyReport } from "./copy-database.ts";
import { copyDatabase, refuseRows } from "./copy-database.ts";
import type { Progress } from "./copy-progress.ts";
import type { CopySource } from "./copy-source.ts";
import { isThere, openSource, openTarget, refuseMemory, requireFile } from "./open-ends.ts";
import type { TableName } from "./table-shapes.ts";
import { TABLES } from "./table-shapes.ts";
import type { TableComparison } from "./verify-databases.ts";
import { verifyDatabases } from "./verify-databases.ts";

export interface CopyRequest {
  readonly from: DatabaseAddress;
  readonly to: DatabaseAddress;
  readonly resume: boolean;
  readonly progress: Progress;
}

/** What a copy would do. */
export interface CopyPreview {
  readonly rows: readonly (readonly [table: TableName, rows: number])[];
  /** The target has no table of ours yet. */
  readonly createsSchema: boolean;
  readonly resumes: boolean;
}

/**
 * Copies the whole database. No bot may run on the source meanwhile, for two databases with the same bots would both
 * place their orders; none can be started on the target before it is complete. Throws CONFIG_INVALID,
 * ALREADY_RUNNING, STORAGE_UNAVAILABLE, DATA_INVALID.
 */
export async function copyBetween({ from, to, resume, progress }: CopyRequest): Promise<CopyReport> {
  return withSource(from, to, async (source) => {
    await refuseForeignFile(to);
    const lock = await holdInstanceLock(to, "stop it first, or name another database with --to");
    try {
      return await fillFrom(source, to, resume, progress);
    } finally {
      lock.release();
    }
  });
}

/**
 * Copies a snapshot into a database that is empty, or holds a part of it. The caller keeps instances away. Throws as
 * `copyBetween`.
 */
export async function fillFrom(
  source: CopySource,
  to: DatabaseAddress,
  resume: boolean,
  progress: Progress,
): Promise<CopyReport> {
  if (!(await checkTarget(to, resume)).resumes) await migrate(to);
  const target = await openTarget(to);
  try {
    return await copyDatabase({ source, target, readTarget: () => openSource(to), progress });
  } finally {
    await target.close();
  }
}

/** What `copyBetween` would do, or throws what it would throw before it writes anything. */
export async function previewCopy({ from, to, resume }: CopyRequest): Promise<CopyPreview> {
  return withSource(from, to, async (source) => {
    const rows: (readonly [TableName, number])[] = [];
    for (const table of TABLES) rows.push([table.name, await source.countRows(table)]);
    return { rows, ...(await checkTarget(to, resume)) };
  });
}

/** Compares a snapshot of each database. Throws CONFIG_INVALID, STORAGE_UNAVAILABLE. */
export async function verifyBetween(
  from: DatabaseAddress,
  to: DatabaseAddress,
  progress: Progress,
): Promise<readonly TableComparison[]> {
  refuseSame(from, to);
  return withSnapshot(from, (a) =>
    withSnapshot(to, async (b) => {
      await requireCurrent(a);
      await requireCurrent(b);
      return verifyDatabases(a, b, progress);
    }),
  );
}

/** Runs `work` on a snapshot, and closes it. */
export async function withSnapshot<Result>(
  address: DatabaseAddress,
  work: (source: CopySource) => Promise<Result>,
): Promise<Result> {
  const source = await openSource(address);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** Throws CONFIG_INVALID where the database has another schema than this quantmesh, or half a copy. */
export async function requireCurrent(source: CopySource): Promise<void> {
  const { version, isUnfinished } = await schemaOf(source);
  if (isUnfinished) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${source.name} holds an unfinished copy: finish it with \`quantmesh db copy --resume\` first`,
    );
  }
  if (version === SCHEMA_VERSION) return;
  throw new QuantmeshError("CONFIG_INVALID", `${source.name} ${otherVersion(version)}`);
}

/** What is known of a database's schema without changing anything. */
export async function schemaOf(source: CopySource): Promise<{ version: number; isUnfinished: boolean }> {
  const names = await source.history();
  const versions = names.filter((name) => name !== UNFINISHED_COPY).map((name) => Number.parseInt(name, 10));
  return { version: Math.max(0, ...versions), isUnfinished: names.includes(UNFINISHED_COPY) };
}

/** Brings the schema up to date. Throws as `createStorage` does. */
export async function migrate(address: DatabaseAddress, version = SCHEMA_VERSION): Promise<void> {
  const database = await openDatabase(address);
  try {
    await migrateTo(database, version);
  } finally {
    await database.close();
  }
}

/** A snapshot of a source on which no instance runs. */
async function withSource<Result>(
  from: DatabaseAddress,
  to: DatabaseAddress,
  work: (source: CopySource) => Promise<Result>,
): Promise<Result> {
  refuseSame(from, to);
  if (from.type === "sqlite") {
    requireFile(from.file);
    // Before a lock is put beside a file that is none of ours.
    await withSnapshot(from, requireCurrent);
  }
  const lock = await holdInstanceLock(
    from,
    "stop it first, for two databases with the same bots would both trade; `quantmesh db backup` works while it runs",
  );
  try {
    if (from.type !== "sqlite") await refuseOwners(from);
    return await withSnapshot(from, async (source) => {
      await requireCurrent(source);
      return work(source);
    });
  } finally {
    lock.release();
  }
}

/** Throws STORAGE_UNAVAILABLE for a file that is no database; asked before a lock, which would stay beside it. */
export async function refuseForeignFile(address: DatabaseAddress): Promise<void> {
  if (address.type === "sqlite" && isThere(address)) await withSnapshot(address, schemaOf);
}

/** Instances of a fleet share a server without a lock; a claim that has not expired has an owner that acts on it. */
export async function refuseOwners(address: DatabaseAddress): Promise<void> {
  const database = await openDatabase(address);
  try {
    const { nowMs, isMissingTable } = database.traits;
    const owners = await database.read(async (db) => {
      try {
        return await db
          .selectFrom("claims")
          .select(["holder", "symbol"])
          .where("expires_at", ">", sql.raw<number>(nowMs))
          .execute();
      } catch (error) {
        // Said better by whoever asks for its version.
        if (isMissingTable(error)) return [];
        throw error;
      }
    });
    const [owner] = owners;
    if (owner === undefined) return;
    throw new QuantmeshError(
      "ALREADY_RUNNING",
      `instance ${owner.holder} trades ${owner.symbol} on ${database.name}: stop all instances first`,
    );
  } finally {
    await database.close();
  }
}

/** Throws CONFIG_INVALID where the target cannot be filled. */
async function checkTarget(
  to: DatabaseAddress,
  resume: boolean,
): Promise<Pick<CopyPreview, "createsSchema" | "resumes">> {
  if (!isThere(to)) return { createsSchema: true, resumes: false };
  return withSnapshot(to, async (target) => {
    const { version, isUnfinished } = await schemaOf(target);
    if (version !== 0 && version !== SCHEMA_VERSION) {
      throw new QuantmeshError("CONFIG_INVALID", `${target.name} ${otherVersion(version)}`);
    }
    if (isUnfinished && !resume) {
      throw new QuantmeshError(
        "CONFIG_INVALID",
        `${target.name} holds an unfinished copy: go on with --resume, or empty it first`,
      );
    }
    if (version !== 0 && !isUnfinished) await refuseRows(target);
    return { createsSchema: version === 0, resumes: isUnfinished };
  });
}

function otherVersion(version: number): string {
  if (version === 0) return "is no database of quantmesh: it has no schema";
  return version < SCHEMA_VERSION
    ? `has schema version ${version}, this quantmesh works with ${SCHEMA_VERSION}: run \`quantmesh db upgrade\` on it first`
    : `has schema version ${version}, this quantmesh knows versions up to ${SCHEMA_VERSION}: use the newer quantmesh that wrote it`;
}

function refuseSame(from: DatabaseAddress, to: DatabaseAddress): void {
  refuseMemory(from);
  refuseMemory(to);
  if (identityOf(from) !== identityOf(to)) return;
  throw new QuantmeshError(
    "CONFIG_INVALID",
    `--from and --to are both ${describeAddress(from)}: name two databases`,
  );
}

function identityOf(address: DatabaseAddress): string {
  if (address.type !== "sqlite") return `${describeAddress(address)} ${address.searchPath ?? ""}`;
  return isThere(address) ? realpathSync(address.file) : address.file;
}
