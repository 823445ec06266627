/** Backups: whole while a process writes, sealed against damage, and restored only where nothing is lost by it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backupDatabase } from "../../src/storage/copy/backup-database.ts";
import { copyBetween, verifyBetween } from "../../src/storage/copy/copy-between.ts";
import { NO_PROGRESS } from "../../src/storage/copy/copy-progress.ts";
import { restoreBackup } from "../../src/storage/copy/restore-backup.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import type { DatabaseAddress, SqliteAddress } from "../../src/storage/dsn.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import { holdProcessLock } from "../../src/storage/process-lock.ts";
import { makeSampleDatabase, rowsOf } from "../support/copy-samples.ts";
import { freshSeed, scaled, seededRandom } from "../support/scale.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import { describeWithServers } from "../support/servers/private-server.ts";

const seed = freshSeed();
let folder: string;
let source: SqliteAddress;
let sound: string;
let made = 0;

beforeAll(async () => {
  console.log(`backup seed ${seed}`);
  folder = mkdtempSync(join(tmpdir(), "quantmesh-backup-"));
  source = newFile();
  await makeSampleDatabase(source.file, seed);
  sound = newPath();
  await backup(source, sound);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newPath(): string {
  return join(folder, `${++made}`);
}

function newFile(): SqliteAddress {
  return { type: "sqlite", file: `${newPath()}.db` };
}

function backup(from: DatabaseAddress, file: string, force = false): Promise<number> {
  return backupDatabase({ from, file, force, progress: NO_PROGRESS });
}

function restore(file: string, to: DatabaseAddress, force = false): Promise<void> {
  return restoreBackup({ file, to, force, progress: NO_PROGRESS });
}

describe("a backup", () => {
  it("brings every row back", async () => {
    const target = newFile();

    await restore(sound, target);

    expect(rowsOf(target.file)).toEqual(rowsOf(source.file));
    await (await createStorage(target)).close();
  });

  it("is an SQLite file that any tool reads", () => {
    const database = new Database(sound, { readonly: true });
    expect(database.pragma("integrity_check", { simple: true })).toBe("ok");
    database.close();
  });

  it("holds whole transactions only, and all that were committed before it began, while a process writes", async () => {
    const written = newFile();
    copyFileSync(source.file, written.file);
    const writer = spawn(process.execPath, ["--input-type=module", "-e", WRITER, written.file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lock = holdProcessLock(written.file);
    let said = "";
    writer.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const committed = (): number => said.split("\n").length - 1;
    try {
      for (let round = 0; round < 3; round++) {
        const before = committed();
        while (committed() < before + 20) await once(writer.stdout, "data");
        const atLeast = committed();
        const [file, restored] = [newPath(), newFile()];

        await backup(written, file);

        await restore(file, restored);
        const { events, trades } = rowsOf(restored.file);
        const added = (events?.length ?? 0) - (rowsOf(source.file)["events"]?.length ?? 0);
        expect(added).toBeGreaterThanOrEqual(atLeast);
        expect((trades?.length ?? 0) - (rowsOf(source.file)["trades"]?.length ?? 0)).toBe(added);
      }
    } finally {
      writer.kill("SIGKILL");
      lock.release();
    }
  });

  it("is refused where one byte of it is another, and the target stays as it is", async () => {
    const random = seededRandom(seed);
    const content = readFileSync(sound);
    const target = newFile();
    const damaged = newPath();
    const ofSeal = Array.from({ length: 20 }, (_, index) => content.length - 1 - index * 5);
    const anywhere = Array.from({ length: scaled(300) }, () => Math.floor(random() * content.length));
    for (const position of [0, content.length - 1, ...ofSeal, ...anywhere]) {
      const changed = Buffer.from(content);
      changed.writeUInt8(changed.readUInt8(position) ^ (1 << Math.floor(random() * 8)), position);
      writeFileSync(damaged, changed);

      await expect(restore(damaged, target, true), `byte ${position}`).rejects.toMatchObject({
        code: "DATA_INVALID",
        message: expect.stringContaining(`${damaged} is damaged`) as string,
      });
    }
    expect(existsSync(target.file)).toBe(false);
  });

  it.each([
    ["cut off", (content: Buffer) => content.subarray(0, -1000)],
    ["cut off within the seal", (content: Buffer) => content.subarray(0, -1)],
    ["empty", () => Buffer.alloc(0)],
    ["longer than it was", (content: Buffer) => Buffer.concat([content, Buffer.from("\n")])],
    ["a database that nobody sealed", () => readFileSync(source.file)],
  ])("is refused where it is %s", async (_, change) => {
    const damaged = newPath();
    writeFileSync(damaged, change(readFileSync(sound)));

    await expect(restore(damaged, newFile())).rejects.toMatchObject({ code: "DATA_INVALID" });
  });

  it("that is not there, or in the place of a folder, is refused by its name", async () => {
    await expect(restore(join(folder, "none"), newFile())).rejects.toMatchObject({
      code: "DATA_INVALID",
      message: `cannot read backup ${join(folder, "none")}: no such file`,
    });
    await expect(backup(source, join(folder, "no-folder", "file"))).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: expect.stringContaining("no-folder") as string,
    });
  });

  it("takes the place of another file only with force, and leaves no other file behind", async () => {
    const file = newPath();
    writeFileSync(file, "mine");
    await expect(backup(source, file)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(readFileSync(file, "utf8")).toBe("mine");

    await backup(source, file, true);

    await restore(file, newFile());
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});

describe("a restore", () => {
  it("refuses a database with rows, and replaces it with force, also what its log still holds", async () => {
    const target = newFile();
    const storage = await createStorage(target);
    const fleet = await storage.fleetId();
    await expect(restore(sound, target)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `${target.file} is not empty (1 rows): restore to another file, or replace it with --force`,
    });
    expect(await storage.fleetId()).toBe(fleet);
    await storage.close();
    // A log that a crash has left, of a later transaction.
    const crashed = new Database(target.file);
    crashed.pragma("wal_autocheckpoint = 0");
    crashed.exec("update meta set value = 'other'");
    copyFileSync(`${target.file}-wal`, `${target.file}-kept`);
    crashed.close();
    copyFileSync(`${target.file}-kept`, `${target.file}-wal`);

    await restore(sound, target, true);

    expect(rowsOf(target.file)).toEqual(rowsOf(source.file));
  });

  it("replaces a damaged database with force only", async () => {
    const target = newFile();
    writeFileSync(target.file, "no database at all, but not empty either".repeat(100));
    await expect(restore(sound, target)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("is there and cannot be read") as string,
    });

    await restore(sound, target, true);

    expect(rowsOf(target.file)).toEqual(rowsOf(source.file));
  });

  it("refuses a database on which an instance runs, even with force", async () => {
    const target = newFile();
    await makeSampleDatabase(target.file, seed + 1, { bots: 1, orders: 10, trades: 10 });
    const before = rowsOf(target.file);
    const lock = holdProcessLock(target.file);

    await expect(restore(sound, target, true)).rejects.toMatchObject({ code: "ALREADY_RUNNING" });

    lock.release();
    expect(rowsOf(target.file)).toEqual(before);
  });
});

describeWithServers(["postgres", "mariadbd"], "a backup of a database server", () => {
  it.each([
    ["PostgreSQL", startPostgres],
    ["MariaDB", startMariadb],
  ])("of %s is a file, and comes back to it", async (_, start) => {
    const server = await start();
    try {
      const from = parseDsn(await server.createDatabase());
      await copyBetween({ from: source, to: from, resume: false, progress: NO_PROGRESS });
      const file = newPath();

      await backup(from, file);

      const [local, other] = [newFile(), parseDsn(await server.createDatabase())];
      await restore(file, local);
      await restore(file, other);
      expect(rowsOf(local.file)).toEqual(rowsOf(source.file));
      const comparisons = await verifyBetween(from, other, NO_PROGRESS);
      expect(comparisons.every(({ isEqual }) => isEqual)).toBe(true);
      await expect(restore(file, other)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
      await restore(file, other, true);
      expect((await verifyBetween(local, other, NO_PROGRESS)).every(({ isEqual }) => isEqual)).toBe(true);
      expect(readdirSync(folder).filter((name) => name.includes(".part"))).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});

/** Commits a trade and an event at a time, and says so on a line each. */
const WRITER = `
  import Database from "better-sqlite3";
  const database = new Database(process.argv[1], { timeout: 5000 });
  database.pragma("journal_mode = WAL");
  const columns = (name) => database.pragma("table_info(" + name + ")").map((column) => column.name);
  const copyOf = (name, changed) => {
    const list = columns(name);
    return database.prepare("insert into " + name + " select " +
      list.map((column) => column === changed ? "?" : '"' + column + '"').join(", ") +
      " from " + name + " limit 1");
  };
  const event = copyOf("events", "id");
  const trade = copyOf("trades", "slot");
  for (let n = 1; ; n++) {
    database.exec("begin immediate");
    event.run(1_000_000 + n);
    trade.run(1_000_000 + n);
    database.exec("commit");
    process.stdout.write(n + "\\n");
    await new Promise((done) => setTimeout(done, 1));
  }
`;
