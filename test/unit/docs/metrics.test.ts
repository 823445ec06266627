/** The documented metrics are the code's. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { METRICS } from "../../../src/observe/metric-list.ts";

it("documents every metric with its type, labels and meaning, and no other", () => {
  const rows = readFileSync("docs/metrics.md", "utf8").matchAll(
    /^\| (quantmesh_\w+) \| (counter|gauge|histogram) \| ([\w, ]*) \| (.+) \|$/gm,
  );
  const documented = Object.fromEntries(
    [...rows].map(([, name, type, labels, help]) => [
      name,
      { type, labels: labels?.split(", ").filter((label) => label !== ""), help },
    ]),
  );

  const listed = Object.entries(METRICS).map(([name, { type, labels, help }]) => [
    name,
    { type, labels, help },
  ]);
  expect(documented).toEqual(Object.fromEntries(listed));
});
