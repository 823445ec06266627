/** The checksum sees every change of content, and none of order. */
import { describe, expect, it } from "vitest";
import { LineChecksum } from "../../../src/storage/copy/checksum.ts";
import { freshSeed, seededRandom } from "../../support/scale.ts";

const LINES = Array.from({ length: 500 }, (_, n) => `order${n}\t${n * 7}\tbuy\t${n / 100}\t\\N`);

function checksumOf(lines: readonly string[], pieceBytes = 1 << 20): string {
  const checksum = new LineChecksum();
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  for (let at = 0; at < text.length; at += pieceBytes) checksum.add(text.subarray(at, at + pieceBytes));
  return checksum.fingerprint.checksum;
}

describe("the checksum of a table", () => {
  it("is the same in whatever order the rows come, and in whatever pieces", () => {
    expect(checksumOf([...LINES].reverse())).toBe(checksumOf(LINES));
    expect(checksumOf(LINES, 13)).toBe(checksumOf(LINES));
  });

  it("is another when any single bit of any row is", () => {
    const random = seededRandom(freshSeed());
    const seen = new Set([checksumOf(LINES)]);
    for (let time = 0; time < 300; time++) {
      const row = Math.floor(random() * LINES.length);
      const bytes = Buffer.from(LINES[row] ?? "");
      const at = Math.floor(random() * bytes.length);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      if (bytes.includes(10)) continue;
      seen.add(checksumOf(LINES.with(row, bytes.toString())));
    }
    expect(seen.size).toBeGreaterThan(250);
  });

  it.each([
    ["a row is missing", LINES.slice(1)],
    ["a row is there twice", [...LINES, LINES[0] ?? ""]],
    ["two pairs of rows are there twice", [...LINES, ...LINES.slice(0, 2), ...LINES.slice(0, 2)]],
    [
      "two rows have swapped a field",
      LINES.with(1, "order1\t14\tbuy\t0.01\t\\N").with(2, "order2\t7\tbuy\t0.02\t\\N"),
    ],
    ["a null is an empty text", LINES.with(3, (LINES[3] ?? "").replace("\\N", ""))],
    ["an empty row is there", [...LINES, ""]],
  ])("is another when %s", (_, changed) => {
    expect(checksumOf(changed)).not.toBe(checksumOf(LINES));
  });

  it("has no collision among a hundred thousand rows that differ by a number", () => {
    const seen = new Set(Array.from({ length: 100_000 }, (_, n) => checksumOf([`bot0xxxxxx\t${n}\t1`])));
    expect(seen.size).toBe(100_000);
  });

  it("of nothing is zero", () => {
    expect(new LineChecksum().fingerprint).toEqual({ rows: 0, checksum: "0".repeat(32) });
  });
});
