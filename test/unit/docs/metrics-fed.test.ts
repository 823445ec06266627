/** Every metric is fed somewhere: a name that nothing records would stay silent for ever. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { METRICS } from "../../../src/observe/metric-list.ts";

it("records every listed metric somewhere outside the list", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.startsWith("observe"))
    .map((file) => readFileSync(join("src", file), "utf8"))
    .join("\n");
  const isFed = (name: string): boolean =>
    sources.includes(`"${name}"`) || sources.includes(`"${name.replace("quantmesh_", "")}"`);
  expect(Object.keys(METRICS).filter((name) => !isFed(name))).toEqual([]);
});
