/** Page cursors: the sort key of a row as opaque text. */
import { QuantmeshError } from "../domain/errors.ts";

export type CursorKey = readonly (string | number)[];

export function encodeCursor(key: CursorKey): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

/** The key in the text, its parts of the same types as `pattern`'s. Throws DATA_INVALID on any other text. */
export function decodeCursor<Key extends CursorKey>(text: string, pattern: Key): Key {
  const key = parse(Buffer.from(text, "base64url").toString());
  const fits =
    Array.isArray(key) &&
    key.length === pattern.length &&
    pattern.every((part, index) => typeof part === typeof key[index]);
  if (!fits) throw new QuantmeshError("DATA_INVALID", `"${text}" is not the cursor of a row of this list`);
  return key as unknown as Key;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
