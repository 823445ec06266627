/** `quantmesh db copy|verify|backup|restore|upgrade|rollback|status`, and `quantmesh migrate`. */
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import { backupDatabase } from "../storage/copy/backup-database.ts";
import { readStatus, rollbackSchema, upgradeSchema } from "../storage/copy/change-schema.ts";
import { copyBetween, previewCopy, verifyBetween } from "../storage/copy/copy-between.ts";
import { restoreBackup } from "../storage/copy/restore-backup.ts";
import type { TableComparison } from "../storage/copy/verify-databases.ts";
import { describeAddress } from "../storage/dsn.ts";
import type { DatabaseOptions } from "./database-option.ts";
import { addressOf, databaseOf } from "./database-option.ts";
import { EXIT_FAILED } from "./exit-codes.ts";
import { createProgressBar } from "./progress-bar.ts";
import { formatTable } from "./table.ts";

interface PairOptions {
  readonly from: string;
  readonly to: string;
  readonly json?: boolean;
}

interface CopyOptions extends PairOptions {
  readonly resume?: boolean;
  readonly dryRun?: boolean;
}

interface ForceOptions extends DatabaseOptions {
  readonly force?: boolean;
}

const DATABASE_TEXT =
  "a file path, postgres://user:password@host/database, mysql://user:password@host/database, or a config file";

export function addDbCommands(program: Command): void {
  const db = program.command("db").description("copy, compare, back up, restore and upgrade databases");
  copyOptions(db.command("copy"));
  copyOptions(program.command("migrate"));
  pairOptions(db.command("verify"))
    .description("compare two databases table by table; exit code 1 where they differ")
    .action(asked(verify));
  oneDatabase(db.command("backup"))
    .description("write a backup of a database, also while an instance runs on it")
    .argument("<file>", "the backup")
    .option("--force", "replace a file that is there")
    .action(asked(backup));
  oneDatabase(db.command("restore"))
    .description("put a backup in the place of a database; a damaged backup is refused")
    .argument("<file>", "the backup")
    .option("--force", "replace what the database holds")
    .action(asked(restore));
  oneDatabase(db.command("upgrade"))
    .description("bring the tables of a database up to this version of quantmesh")
    .action(asked(upgrade));
  oneDatabase(db.command("rollback"))
    .description("take the tables of a database back to an older version")
    .option("--to <version>", "version of the schema (default: one back)", parseVersion)
    .option("--force", "also where rows are lost by it")
    .action(asked(rollback));
  oneDatabase(db.command("status"))
    .description("show the version of a database and how much it holds")
    .option("--json", "one JSON object")
    .action(asked(status));
}

/** What is wrong with an address is said as of the config's key, which here is an option of the command. */
function asked<Given extends unknown[]>(
  work: (...given: Given) => Promise<void>,
): (...given: Given) => Promise<void> {
  return async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      if (!hasCode(error, "CONFIG_INVALID")) throw error;
      throw new QuantmeshError("CONFIG_INVALID", error.message.replace(/^database\.dsn: /, ""), {
        cause: error,
      });
    }
  };
}

function copyOptions(command: Command): void {
  pairOptions(command)
    .description("copy a database into an empty one, and compare both in the end")
    .option("--resume", "go on with a copy that was interrupted")
    .option("--dry-run", "check everything, and write nothing")
    .action(asked(copy));
}

function pairOptions(command: Command): Command {
  return command
    .requiredOption("--from <database>", DATABASE_TEXT)
    .requiredOption("--to <database>", "the same, of the other database")
    .option("--json", "one JSON object");
}

function oneDatabase(command: Command): Command {
  return command
    .option("-c, --config <file>", "the database of this config file")
    .option("--dsn <database>", DATABASE_TEXT);
}

function parseVersion(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("--to takes a version of the schema, a whole number from 0.");
}

async function copy(options: CopyOptions): Promise<void> {
  const request = {
    from: await addressOf("--from", options.from),
    to: await addressOf("--to", options.to),
    resume: options.resume === true,
    progress: createProgressBar(),
  };
  if (options.dryRun) {
    const { rows, createsSchema, resumes } = await previewCopy(request);
    if (options.json)
      return print(JSON.stringify({ rows: Object.fromEntries(rows), createsSchema, resumes }));
    const what = resumes
      ? "would go on with"
      : createsSchema
        ? "would create the tables and copy"
        : "would copy";
    print(`${what} ${describeAddress(request.from)} → ${describeAddress(request.to)}`);
    return print(
      formatTable(
        ["table", "rows"],
        rows.map(([table, count]) => [table, String(count)]),
      ),
    );
  }
  const { comparisons, isEqual, copySeconds, verifySeconds } = await copyBetween(request);
  const seconds = { copySeconds: round(copySeconds), verifySeconds: round(verifySeconds) };
  if (options.json) print(JSON.stringify({ isEqual, ...seconds, tables: comparisons }));
  else {
    print(comparisonTable(comparisons));
    print(
      isEqual
        ? `copied in ${seconds.copySeconds} s, verified in ${seconds.verifySeconds} s: equal`
        : "the databases differ: do not use the copy; empty the target and copy again",
    );
  }
  if (!isEqual) process.exitCode = EXIT_FAILED;
}

async function verify(options: PairOptions): Promise<void> {
  const from = await addressOf("--from", options.from);
  const to = await addressOf("--to", options.to);
  const comparisons = await verifyBetween(from, to, createProgressBar());
  const isEqual = comparisons.every((comparison) => comparison.isEqual);
  if (options.json) print(JSON.stringify({ isEqual, tables: comparisons }));
  else print(`${comparisonTable(comparisons)}\n${isEqual ? "equal" : "the databases differ"}`);
  if (!isEqual) process.exitCode = EXIT_FAILED;
}

async function backup(file: string, options: ForceOptions): Promise<void> {
  const from = await databaseOf(options);
  const force = options.force === true;
  const bytes = await backupDatabase({ from, file, force, progress: createProgressBar() });
  print(`${describeAddress(from)} → ${file}: ${bytes} bytes`);
}

async function restore(file: string, options: ForceOptions): Promise<void> {
  const to = await databaseOf(options);
  await restoreBackup({ file, to, force: options.force === true, progress: createProgressBar() });
  print(`${file} → ${describeAddress(to)}: restored`);
}

async function upgrade(options: DatabaseOptions): Promise<void> {
  const { database, before, after } = await upgradeSchema(await databaseOf(options));
  print(
    before === after
      ? `${database}: schema version ${after}, nothing to do`
      : `${database}: schema version ${before} → ${after}`,
  );
}

async function rollback(options: ForceOptions & { readonly to?: number }): Promise<void> {
  const address = await databaseOf(options);
  const { database, before, after } = await rollbackSchema(address, options.to, options.force === true);
  print(`${database}: schema version ${before} → ${after}`);
}

async function status(options: DatabaseOptions & { readonly json?: boolean }): Promise<void> {
  const found = await readStatus(await databaseOf(options));
  const { database, version, newest, isUnfinishedCopy, rows } = found;
  if (options.json) return print(JSON.stringify({ ...found, rows: rows && Object.fromEntries(rows) }));
  const advice = version < newest ? ": `quantmesh db upgrade` brings it up to date" : "";
  print(`${database}: schema version ${version} of ${newest}${advice}`);
  if (isUnfinishedCopy) print("it holds an unfinished copy: go on with `quantmesh db copy --resume`");
  if (rows)
    print(
      formatTable(
        ["table", "rows"],
        rows.map(([table, count]) => [table, String(count)]),
      ),
    );
}

function comparisonTable(comparisons: readonly TableComparison[]): string {
  return formatTable(
    ["table", "rows from", "rows to", "checksum from", "checksum to", ""],
    comparisons.map(({ table, from, to, isEqual }) => [
      table,
      String(from.rows),
      String(to.rows),
      from.checksum.slice(0, 16),
      to.checksum.slice(0, 16),
      isEqual ? "equal" : "DIFFERENT",
    ]),
  );
}

function round(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
