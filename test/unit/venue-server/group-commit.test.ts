/** Lines reach the disk before anybody hears of them, many at once, and never after a failure. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GroupCommit } from "../../../src/venue/server/group-commit.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-commit-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const never = (error: unknown): never => {
  throw error;
};

describe("a group commit", () => {
  it("tells each who waits once his line and all before it are in the file, in their order", async () => {
    const file = join(folder, "lines");
    const log = new GroupCommit(file, never);
    const heard: number[] = [];
    for (let line = 1; line <= 500; line += 1) {
      log.append(`line ${line} ${"é".repeat(line % 50)}`);
      log.whenDurable(() => {
        heard.push(line);
        expect(linesOf(file).length).toBeGreaterThanOrEqual(line);
      });
      if (line % 70 === 0) await new Promise((done) => setImmediate(done));
    }
    expect(heard.length).toBeLessThan(500);
    await log.close();
    expect(heard).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect(linesOf(file).map((line) => Number(line.split(" ")[1]))).toEqual(heard);
  });

  it("calls at once where there is nothing to wait for", () => {
    const log = new GroupCommit(join(folder, "lines"), never);
    let isCalled = false;
    log.whenDurable(() => (isCalled = true));
    expect(isCalled).toBe(true);
  });

  it("goes on in another file; what came before stays in the first", async () => {
    const [first, second] = [join(folder, "first"), join(folder, "second")];
    const log = new GroupCommit(first, never);
    log.append("old");
    log.switchTo(second);
    log.append("new");
    await new Promise<void>((done) => log.whenDurable(done));
    expect([linesOf(first), linesOf(second)]).toEqual([["old"], ["new"]]);
    await log.close();
  });

  it("tells nobody anything once a write has failed", async () => {
    let fail: (error: unknown) => void = () => undefined;
    const failed = new Promise((done) => (fail = done));
    const log = new GroupCommit(join(folder, "lines"), (error) => fail(error));
    // Taken away behind its back, as a broken disk would.
    const next = openSync(join(folder, "other"), "w");
    closeSync(next - 1);
    let isHeard = false;
    log.append("lost");
    log.whenDurable(() => (isHeard = true));
    expect(await failed).toMatchObject({ code: "EBADF" });
    log.append("later");
    log.whenDurable(() => (isHeard = true));
    await new Promise((done) => setImmediate(done));
    closeSync(next);
    expect(isHeard).toBe(false);
    await log.close();
  });
});

function linesOf(file: string): readonly string[] {
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}
