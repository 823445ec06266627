/** What a terminal is told while a start waits: lines of the real log, before anything is painted. */
import { expect, it } from "vitest";
import { LiveStatus } from "../../../src/cli/live-status.ts";
import { StartPatience } from "../../../src/coordination/start-patience.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { createLog } from "../../../src/observe/log.ts";

it("says once for each step of a start that etcd does not answer, and how long it waits at most", async () => {
  const written: string[] = [];
  const status = new LiveStatus({ write: (text: string) => written.push(text) > 0 });
  const log = createLog({ level: "info", stream: status });
  let now = 0;
  const clock = {
    monotonic: () => now,
    after: (delayMs: number, run: () => void) => {
      now += delayMs;
      queueMicrotask(run);
      return () => undefined;
    },
  };
  const wait = (): Promise<string> => {
    let asked = 0;
    return new StartPatience({ clock, log, limitMs: 30_000 }).ask(async () => {
      now += 500;
      if ((asked += 1) < 4) throw new QuantmeshError("COORDINATION_UNAVAILABLE", "no answer");
      return "answered";
    });
  };

  expect(await wait()).toBe("answered");
  expect(await wait()).toBe("answered");

  const line =
    "waiting for etcd, which does not answer: 30 s more at most (coordination.start_limit); Ctrl-C ends it\n";
  expect(written).toEqual([line, line]);
});
