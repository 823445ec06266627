/** The last bytes of a backup: they say how long the database before them is, and its SHA-256. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { QuantmeshError } from "../../domain/errors.ts";

/**
 * A backup is an SQLite database with such a seal behind its last page, where SQLite never looks: each tool that reads
 * SQLite files reads backups.
 */
const SEAL = /^\nquantmesh backup 1\nbytes (\d{15})\nsha256 ([0-9a-f]{64})\n$/;
const SEAL_BYTES = sealText(0, "0".repeat(64)).length;

/** Appends the seal, and waits for the disk. Throws what the file system says. */
export async function sealBackup(file: string): Promise<void> {
  const { size } = await stat(file);
  const seal = sealText(size, await sha256Of(file, size));
  const handle = await open(file, "a");
  try {
    await handle.write(seal);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** How many bytes the database of an undamaged backup has. Throws DATA_INVALID where the backup is damaged or none. */
export async function checkBackup(file: string): Promise<number> {
  const { bytes, sha256 } = await readSeal(file);
  if ((await sha256Of(file, bytes)) !== sha256) {
    throw new QuantmeshError(
      "DATA_INVALID",
      `${file} is damaged: its content has another checksum than when it was written; use another backup`,
    );
  }
  return bytes;
}

async function readSeal(file: string): Promise<{ bytes: number; sha256: string }> {
  const handle = await open(file, "r").catch((error: unknown) => {
    throw new QuantmeshError("DATA_INVALID", `cannot read backup ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  });
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - SEAL_BYTES);
    const end = Buffer.alloc(size - start);
    await handle.read(end, 0, end.length, start);
    const match = SEAL.exec(end.toString("latin1"));
    const bytes = Number(match?.[1]);
    if (!match || bytes !== start) {
      throw new QuantmeshError(
        "DATA_INVALID",
        `${file} is damaged, not complete, or no backup made by \`quantmesh db backup\``,
      );
    }
    return { bytes, sha256: match[2] ?? "" };
  } finally {
    await handle.close();
  }
}

function sealText(bytes: number, sha256: string): string {
  return `\nquantmesh backup 1\nbytes ${String(bytes).padStart(15, "0")}\nsha256 ${sha256}\n`;
}

async function sha256Of(file: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  if (bytes > 0)
    for await (const piece of createReadStream(file, { end: bytes - 1 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && error.code === "ENOENT" ? "no such file" : error.message;
}
