/** What a table of a snapshot holds, computed by reading all of it. */
import type { Fingerprint } from "./checksum.ts";
import { LineChecksum } from "./checksum.ts";
import type { CopySource } from "./copy-source.ts";
import type { TableShape } from "./table-shapes.ts";

export async function fingerprintTable(
  source: CopySource,
  table: TableShape,
  onRows: (rows: number) => void = () => undefined,
): Promise<Fingerprint> {
  const checksum = new LineChecksum();
  for await (const { text, rows } of source.read(table)) {
    checksum.add(text);
    onRows(rows);
  }
  return checksum.fingerprint;
}

export function isEqual(a: Fingerprint, b: Fingerprint): boolean {
  return a.rows === b.rows && a.checksum === b.checksum;
}
