/** The names of the files in a venue's folder. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

export type SegmentKind = "journal" | "snapshot";

/** The journal's segment, or the snapshot of all before it. */
export function segmentFile(folder: string, kind: SegmentKind, segment: number): string {
  return join(folder, `${kind}-${String(segment).padStart(6, "0")}.jsonl`);
}

/** The numbers of a folder's files of one kind, ascending. */
export function segmentNumbers(folder: string, kind: SegmentKind): readonly number[] {
  const pattern = new RegExp(`^${kind}-(\\d{6,})\\.jsonl$`);
  return readdirSync(folder)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}
