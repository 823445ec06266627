/** The documented error codes are the code's. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ERROR_POLICIES } from "../../../src/domain/errors.ts";

it("documents every error code with its policy, and no other", () => {
  const rows = readFileSync("docs/errors.md", "utf8").matchAll(/^\| ([A-Z_]+) \| (\w+) \| .+ \|$/gm);
  const documented = Object.fromEntries([...rows].map(([, code, policy]) => [code, policy]));
  expect(documented).toEqual(ERROR_POLICIES);
});
