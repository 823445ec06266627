/** Looks at the folders that an instance writes to: room, sync time and the kind of file system. */
import { accessSync, constants, existsSync } from "node:fs";
import { open, stat, statfs, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok, warn } from "../../domain/finding.ts";
import { formatMs, median } from "../../domain/round-trip.ts";

export interface Place {
  /** What is kept there, for people. */
  readonly what: string;
  /** A file that is there or will be made, with its folders. */
  readonly file: string;
  /** Where the config says so. */
  readonly key: string;
  /** SQLite's own file: network file systems break its locks. */
  readonly isDatabase: boolean;
}

export interface DiskFacts {
  readonly freeBytes: number;
  /** Of the file system, as statfs tells it. */
  readonly type: number;
  /** Of a few writes of 4 KiB, each synced. */
  readonly syncMs: number;
}

const SYNCS = 5;
const SLOW_SYNC_MS = 25;
const LITTLE_BYTES = 2 ** 30;
const TOO_LITTLE_BYTES = 64 * 2 ** 20;

/** Types of statfs(2), as Linux has them. */
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
]);
const MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
]);

/** Writes and removes one small file beside each place; makes nothing that stays. */
export async function checkDisk(places: readonly Place[]): Promise<readonly Finding[]> {
  return Promise.all(
    places.map(async (place) => {
      try {
        const folder = await nearestFolder(place.file);
        if (existsSync(place.file)) accessSync(place.file, constants.R_OK | constants.W_OK);
        return judgeDisk(place, await measure(folder));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return fault(
          "disk",
          `${place.what} ${place.file}: cannot be written (${reason})`,
          `set ${place.key} to a file in a folder that this user may write to, or chown the folder`,
        );
      }
    }),
  );
}

export function judgeDisk({ what, file, key, isDatabase }: Place, facts: DiskFacts): Finding {
  const { freeBytes, type, syncMs } = facts;
  const free = `${(freeBytes / 2 ** 30).toFixed(1)} GiB free`;
  const says = `${what} ${file}: ${free}, a sync takes ${formatMs(syncMs)}`;
  const network = NETWORK.get(type);
  if (network !== undefined && isDatabase) {
    return fault(
      "disk",
      `${says}; on ${network}, where SQLite's locks do not hold`,
      `set ${key} to a file on a disk of this computer, or use postgres`,
    );
  }
  if (freeBytes < TOO_LITTLE_BYTES)
    return fault("disk", says, `free disk space, or move ${key} to another disk`);
  if (network !== undefined) {
    return warn(
      "disk",
      `${says}; on ${network}, away when the network is`,
      `set ${key} to a file on a disk of this computer`,
    );
  }
  const memory = MEMORY.get(type);
  if (memory !== undefined) {
    return warn("disk", `${says}; on ${memory}, gone after a restart`, `set ${key} to a file on a disk`);
  }
  if (freeBytes < LITTLE_BYTES) return warn("disk", says, `free disk space, or move ${key} to another disk`);
  if (syncMs <= SLOW_SYNC_MS) return ok("disk", says);
  return warn(
    "disk",
    `${says}: ${isDatabase ? "every order waits for it" : "every fill waits for it while the database is away"}`,
    `move ${key} to a faster disk (SSD)`,
  );
}

/** The folder of the file, or the nearest above it that is there already. Throws where a file is in its way. */
async function nearestFolder(file: string): Promise<string> {
  for (let folder = dirname(resolve(file)); ; folder = dirname(folder)) {
    if (!existsSync(folder) && folder !== dirname(folder)) continue;
    if ((await stat(folder)).isDirectory()) return folder;
    throw new Error(`${folder} is not a folder`);
  }
}

async function measure(folder: string): Promise<DiskFacts> {
  const { bavail, bsize, type } = await statfs(folder);
  const probe = join(folder, `.quantmesh-doctor-${process.pid}-${Math.random().toString(36).slice(2)}`);
  const handle = await open(probe, "wx", 0o600);
  try {
    const took: number[] = [];
    for (let written = 0; written < SYNCS; written += 1) {
      const started = performance.now();
      await handle.write(Buffer.alloc(4096, written), 0, 4096, written * 4096);
      await handle.sync();
      took.push(performance.now() - started);
    }
    return { freeBytes: bavail * bsize, type, syncMs: median(took) };
  } finally {
    await handle.close();
    await unlink(probe);
  }
}
