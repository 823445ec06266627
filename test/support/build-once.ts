/** Builds dist/ before the suites that start the real command. */
import { execFileSync } from "node:child_process";

export default function buildOnce(): void {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "inherit", "inherit"] });
}
