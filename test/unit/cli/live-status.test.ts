/** The live view: what a terminal is told while a start waits, and how it keeps within the rows of a small one. */
import { expect, it } from "vitest";
import { LiveStatus } from "../../../src/cli/live-status.ts";
import type { RunningInstance } from "../../../src/cli/run-instance.ts";
import { StartPatience } from "../../../src/coordination/start-patience.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import { createLog } from "../../../src/observe/log.ts";

const EVENTS = 10;
const EMPTY = {
  url: undefined,
  market: { progress: () => ({ position: 0, total: undefined }) },
  instance: { statuses: () => [] },
} as unknown as RunningInstance;

/** The lines of the first picture on a terminal of that height. */
function paint(rows: number | undefined): readonly string[] {
  let written = "";
  const status = new LiveStatus({
    rows,
    write: (text: string) => (written += text) !== "",
  });
  for (let event = 0; event < EVENTS; event += 1) {
    status.write(
      JSON.stringify({ time: "2026-01-01T00:00:00.000Z", level: "info", event: `event.${event}` }),
    );
  }
  status.start(EMPTY);
  const picture = written;
  status.stop();
  return picture.split("\n").slice(0, -1);
}

it("shows the newest events that fit under the bots", () => {
  const lines = paint(6);

  expect(lines).toHaveLength(5);
  expect(lines[0]).toContain("Ctrl-C stops");
  expect(lines.slice(2).join()).toMatch(/event\.7.*event\.8.*event\.9/);
});

it("shows all that it keeps where there is room, or where the terminal does not tell its height", () => {
  for (const rows of [100, 0, undefined]) expect(paint(rows)).toHaveLength(2 + EVENTS);
});

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
