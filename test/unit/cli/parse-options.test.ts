/** What a user types for an option, checked. */
import { expect, it } from "vitest";
import { parseCount, parsePercent } from "../../../src/cli/parse-options.ts";

it("takes a share with or without its sign, and no share of nothing or of more than all", () => {
  const parse = parsePercent("--canary");
  expect(["1%", "10", "100%"].map(parse)).toEqual([1, 10, 100]);
  for (const text of ["0%", "101%", "0.5%", "-1", "%", "ten", ""])
    expect(() => parse(text)).toThrow("--canary takes a share from 1% to 100%.");
});

it("takes a count from 0", () => {
  const parse = parseCount("--max-halted");
  expect(["0", "7"].map(parse)).toEqual([0, 7]);
  for (const text of ["-1", "1.5", "", "many"])
    expect(() => parse(text)).toThrow("--max-halted takes a whole number from 0.");
});
