/** Programs from their sources in one file each, which start in a third of the time. */
import { rmSync } from "node:fs";
import { basename, resolve } from "node:path";
import { buildSync } from "esbuild";

const made = new Map<string, string>();

/** The bundle of `entry`, a path from the package's root; made once in each test process and removed at its end. */
export function bundle(entry: string): string {
  const known = made.get(entry);
  if (known !== undefined) return known;
  // Two folders below the package, as its modules are.
  const outfile = resolve(`node_modules/.cache/quantmesh-${basename(entry, ".ts")}-${process.pid}.mjs`);
  buildSync({
    entryPoints: [entry],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  });
  process.once("exit", () => rmSync(outfile, { force: true }));
  made.set(entry, outfile);
  return outfile;
}
