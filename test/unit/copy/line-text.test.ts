/** Lines of text carry every row exactly, however the text is cut into pieces. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lines } from "../../../src/storage/copy/line-text.ts";
import {
  ESCAPES,
  decodeLines,
  needsEscapes,
  splitLines,
  wholeLines,
} from "../../../src/storage/copy/line-text.ts";

type Row = readonly (string | null)[];

const field = fc.option(
  fc.string({
    unit: fc.constantFrom("a", "N", "\\", "\t", "\n", "\r", "\b", "\f", "\v", "t", "n", "0", "ä", "🦀", " "),
  }),
);
const rows = fc
  .integer({ min: 1, max: 5 })
  .chain((width) =>
    fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 }),
  );

/** As PostgreSQL's documentation says that it writes. */
function encode(values: readonly Row[]): Buffer {
  const encodeField = (value: string | null): string =>
    value === null
      ? "\\N"
      : [...value]
          .map((letter) => {
            const escape = ESCAPES.find(([code]) => String.fromCharCode(code) === letter);
            return escape ? `\\${escape[1]}` : letter;
          })
          .join("");
  return Buffer.from(values.map((row) => `${row.map(encodeField).join("\t")}\n`).join(""));
}

async function collect(lines: AsyncIterable<Lines>): Promise<Lines[]> {
  const all: Lines[] = [];
  for await (const some of lines) all.push(some);
  return all;
}

describe("lines of text", () => {
  it("are decoded to the values that were encoded", () => {
    fc.assert(
      fc.property(rows, (values) => {
        expect([...decodeLines(encode(values))]).toEqual(values);
      }),
    );
  });

  it("tell a null from an empty text and from the text that writes a null", () => {
    expect([...decodeLines(Buffer.from("\\N\t\t\\\\N\n"))]).toEqual([[null, "", "\\N"]]);
  });

  it("are whole again whatever pieces they came in", async () => {
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), async (values, size) => {
        const text = encode(values);
        const pieces = async function* (): AsyncGenerator<Buffer> {
          for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size);
        };

        const lines = await collect(wholeLines(pieces()));

        expect(Buffer.concat(lines.map((some) => some.text))).toEqual(text);
        for (const some of lines) expect([...decodeLines(some.text)]).toHaveLength(some.rows);
        expect(lines.reduce((sum, some) => sum + some.rows, 0)).toBe(values.length);
      }),
    );
  });

  it("are split behind any row", () => {
    fc.assert(
      fc.property(rows, fc.nat(), (values, number) => {
        const at = number % (values.length + 1);

        const [head, tail] = splitLines({ text: encode(values), rows: values.length }, at);

        expect([...decodeLines(head.text)]).toEqual(values.slice(0, at));
        expect([...decodeLines(tail.text)]).toEqual(values.slice(at));
        expect([head.rows, tail.rows]).toEqual([at, values.length - at]);
      }),
    );
  });

  it("need escapes where a text has a character that separates or escapes", () => {
    for (const [code] of ESCAPES) expect(needsEscapes(Buffer.from([65, code, 66]))).toBe(true);
    expect(needsEscapes(Buffer.from("plain text, ä and 🦀"))).toBe(false);
  });
});
