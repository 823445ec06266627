/** The folder of an export: nothing is overwritten unasked, nothing half-written stays. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkExportFolder, writeExport } from "../../../src/backtest/write-export.ts";

const FILES = [
  { name: "a.txt", text: "new a" },
  { name: "b.txt", text: "new b" },
];

describe("an export's folder", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-export-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("may be new, with its parents, or empty", async () => {
    const target = join(folder, "not", "yet");
    await checkExportFolder(target, false);
    await checkExportFolder(folder, false);
    await writeExport(target, FILES);
    expect(readdirSync(target).sort()).toEqual(["a.txt", "b.txt"]);
    expect(readFileSync(join(target, "a.txt"), "utf8")).toBe("new a");
  });

  it("is refused where it holds anything, with the remedy, and is left as it is", async () => {
    writeFileSync(join(folder, "a.txt"), "mine");
    await expect(checkExportFolder(folder, false)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `cannot export to ${folder}: the folder is not empty (a.txt): name another, or give --force to overwrite`,
    });
    expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("mine");
  });

  it("keeps its other files where overwriting is asked for", async () => {
    writeFileSync(join(folder, "a.txt"), "mine");
    writeFileSync(join(folder, "other.txt"), "mine");
    await checkExportFolder(folder, true);
    await writeExport(folder, FILES);
    expect(readdirSync(folder).sort()).toEqual(["a.txt", "b.txt", "other.txt"]);
    expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("new a");
    expect(readFileSync(join(folder, "other.txt"), "utf8")).toBe("mine");
  });

  it("is refused where it is a file", async () => {
    const file = join(folder, "a.txt");
    writeFileSync(file, "mine");
    const refusal = { code: "CONFIG_INVALID", message: `cannot export to ${file}: it is not a folder` };
    await expect(checkExportFolder(file, false)).rejects.toMatchObject(refusal);
    await expect(checkExportFolder(file, true)).rejects.toMatchObject(refusal);
    await expect(writeExport(file, FILES)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  it("has no temporary file left after a failure", async () => {
    mkdirSync(join(folder, "b.txt", "in the way"), { recursive: true });
    await expect(writeExport(folder, FILES)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });
});
