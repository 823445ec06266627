/** The process lock: one process per database file, freed by any kind of death. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { holdProcessLock } from "../../../src/storage/process-lock.ts";

describe("holdProcessLock", () => {
  let folder: string;
  let database: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-lock-"));
    database = join(folder, "data", "quantmesh.sqlite");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("refuses a second holder, names the database and says what to do", () => {
    const first = holdProcessLock(database);

    const second = () => holdProcessLock(database);

    expect(second).toThrow(QuantmeshError);
    expect(second).toThrow(expect.objectContaining({ code: "ALREADY_RUNNING" }));
    expect(second).toThrow(database);
    expect(second).toThrow("stop it");
    first.release();
  });

  it("says what else can be done where its holder knows", () => {
    const first = holdProcessLock(database, "stop it first, or name another");

    expect(() => holdProcessLock(database, "stop it first, or name another")).toThrow(
      `another quantmesh process is running on ${database}: stop it first, or name another`,
    );
    first.release();
  });

  it("is free again once it is released", () => {
    holdProcessLock(database).release();

    const second = holdProcessLock(database);

    expect(() => holdProcessLock(database)).toThrow("another quantmesh process");
    second.release();
  });

  it("keeps another process out while this one holds it", async () => {
    const lock = holdProcessLock(database);

    expect(await holderIn(database)).toMatchObject({ said: "ALREADY_RUNNING" });

    lock.release();
  });

  it("can be taken at once after its process was killed", async () => {
    const holder = await holderIn(database);
    expect(holder.said).toBe("held");
    expect(() => holdProcessLock(database)).toThrow(expect.objectContaining({ code: "ALREADY_RUNNING" }));

    holder.child.kill("SIGKILL");
    expect(await holder.exited).toEqual([null, "SIGKILL"]);

    holdProcessLock(database).release();
  });

  it("is the same lock whichever path leads to the database", () => {
    const lock = holdProcessLock(database);
    writeFileSync(database, "");
    symlinkSync(database, join(folder, "link.sqlite"));
    symlinkSync(join(folder, "data"), join(folder, "elsewhere"));

    expect(() => holdProcessLock(join(folder, "link.sqlite"))).toThrow("another quantmesh process");
    expect(() => holdProcessLock(join(folder, "elsewhere", "quantmesh.sqlite"))).toThrow(
      "another quantmesh process",
    );
    lock.release();
  });

  it("is not needed for a database in memory", () => {
    holdProcessLock(":memory:");

    expect(() => holdProcessLock(":memory:")).not.toThrow();
    expect(existsSync(":memory:.lock")).toBe(false);
  });

  it("says that the storage is unavailable where the lock file cannot be made", () => {
    writeFileSync(join(folder, "file"), "");

    expect(() => holdProcessLock(join(folder, "file", "quantmesh.sqlite"))).toThrow(
      expect.objectContaining({ code: "STORAGE_UNAVAILABLE" }),
    );
  });

  it.each([
    ["is a folder", () => folder],
    ["lies where no folder can be made", () => "/proc/quantmesh/quantmesh.sqlite"],
  ])("makes no lock file for a path that %s, and says what to do", (_, pathOf) => {
    const path = pathOf();

    expect(() => holdProcessLock(path)).toThrow(`storage ${path}: `);
    expect(() => holdProcessLock(path)).toThrow("choose a file in a folder that this user may write to");
    expect(existsSync(`${path}.lock`)).toBe(false);
  });
});

/** A process that takes the lock, says what came of it, and if it holds it lives on. */
async function holderIn(database: string) {
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", HOLDER, database], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [data] = (await once(child.stdout, "data")) as [Buffer];
  return { child, exited, said: data.toString().trim() };
}

const HOLDER = `
  import { holdProcessLock } from ${JSON.stringify(new URL("../../../src/storage/process-lock.ts", import.meta.url).href)};
  try {
    holdProcessLock(process.argv[1]);
    console.log("held");
    setInterval(() => {}, 1_000);
  } catch (error) {
    console.log(error.code);
  }
`;
