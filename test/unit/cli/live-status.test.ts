/** The live view on a small terminal: it keeps within the rows, so that nothing is pushed out at the top. */
import { expect, it } from "vitest";
import { LiveStatus } from "../../../src/cli/live-status.ts";
import type { RunningInstance } from "../../../src/cli/run-instance.ts";

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
    write: (text: string) => (written += text),
  } as unknown as NodeJS.WriteStream);
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
