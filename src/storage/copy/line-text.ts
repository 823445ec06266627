/**
 * Rows as lines of text: what travels between databases, and what is compared. It is PostgreSQL's COPY text format
 * (fields between tabs, `\N` for null, backslash escapes), so that PostgreSQL reads and writes it by itself.
 * https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
 */

/** Whole lines, each with its line end, in UTF-8. */
export interface Lines {
  readonly text: Buffer;
  readonly rows: number;
}

/** Characters that PostgreSQL escapes when it writes, with the letter that it puts after the backslash. */
export const ESCAPES: readonly (readonly [code: number, letter: string])[] = [
  [0x5c, "\\"],
  [0x08, "b"],
  [0x09, "t"],
  [0x0a, "n"],
  [0x0b, "v"],
  [0x0c, "f"],
  [0x0d, "r"],
];

const MEANINGS = new Map(ESCAPES.map(([code, letter]) => [letter, String.fromCharCode(code)]));
const NEW_LINE = 0x0a;

/** True if a character in `text` must be escaped. */
export function needsEscapes(text: Buffer): boolean {
  return ESCAPES.some(([code]) => text.includes(code));
}

/** The fields of each line; null for a null. */
export function* decodeLines(text: Buffer): Generator<readonly (string | null)[]> {
  const lines = text.toString("utf8").split("\n");
  // Behind the last line end there is no line.
  for (const line of lines.slice(0, -1)) yield line.split("\t").map(decodeField);
}

function decodeField(field: string): string | null {
  if (field === "\\N") return null;
  return field.includes("\\") ? field.replaceAll(/\\(.)/g, meaningOf) : field;
}

function meaningOf(_: string, letter: string): string {
  return MEANINGS.get(letter) ?? letter;
}

/** The first `rows` lines, and what follows them. */
export function splitLines({ text, rows }: Lines, at: number): readonly [head: Lines, tail: Lines] {
  let end = 0;
  for (let row = 0; row < at; row++) end = text.indexOf(NEW_LINE, end) + 1;
  return [
    { text: text.subarray(0, end), rows: at },
    { text: text.subarray(end), rows: rows - at },
  ];
}

/** Pieces of text as they come, as whole lines. */
export async function* wholeLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<Lines> {
  let rest: Buffer[] = [];
  for await (const piece of pieces) {
    const end = piece.lastIndexOf(NEW_LINE) + 1;
    if (end === 0) {
      rest.push(piece);
      continue;
    }
    const text = Buffer.concat([...rest, piece.subarray(0, end)]);
    rest = end < piece.length ? [piece.subarray(end)] : [];
    yield { text, rows: countLines(text) };
  }
}

function countLines(text: Buffer): number {
  let rows = 0;
  for (let at = text.indexOf(NEW_LINE); at >= 0; at = text.indexOf(NEW_LINE, at + 1)) rows++;
  return rows;
}
