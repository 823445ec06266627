/** Builds dist/ before the suites that start the real command, of which a run may have several. */
import { execFileSync } from "node:child_process";

const BUILT = "QUANTMESH_TEST_BUILT";

export default function buildOnce(): void {
  if (process.env[BUILT] === "true") return;
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "inherit", "inherit"] });
  process.env[BUILT] = "true";
}
