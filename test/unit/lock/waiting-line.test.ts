/** How long somebody waits for keys that stay with another. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import type { Grant } from "../../../src/lock/lock.ts";
import { WaitingLine } from "../../../src/lock/waiting-line.ts";

it("ends a wait at its limit, also where the memory is cleared up meanwhile", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const line = new WaitingLine();
  const granted = { keys: ["a"] } as unknown as Grant;
  // What the compiler has optimised keeps only what it needs.
  for (let times = 0; times < 20_000; times += 1) {
    await line.wait(
      ["a"],
      { timeoutMs: 60_000, signal: new AbortController().signal },
      async () => granted,
      () => undefined,
    );
  }
  const limits = { timeoutMs: 200, signal: new AbortController().signal };
  // Nobody looks at the limit while the answer is on its way, as from a server that is frozen.
  const waiting = line.wait(
    ["a"],
    limits,
    () => new Promise(() => undefined),
    () => undefined,
  );
  const collecting = setInterval(collect, 20);

  const end = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 5_000, "no end"))]);
  clearInterval(collecting);

  expect(end).toBeUndefined();
});
