/** Which Redis servers may keep locks, by what they tell of themselves. */
import { describe, expect, it } from "vitest";
import { judgeServer, parseInfo } from "../../../src/lock/redis-info.ts";

const TTL_MS = 30_000;

function info(changed: Readonly<Record<string, string>> = {}): string {
  const told = { run_id: "abc", uptime_in_seconds: "4000", role: "master", maxmemory: "0", ...changed };
  return ["# Server", "", ...Object.entries(told).map(([name, value]) => `${name}:${value}`)].join("\r\n");
}

describe("the judgement of a Redis server", () => {
  it.each([
    ["4000", 0],
    // Two readings in whole seconds are subtracted: 31 may be a little more than 30.
    ["31", 0],
    ["30", 1_000],
    ["1", 30_000],
    ["0", 31_000],
  ])("lets one that has been up for %s s grant after %i ms", (uptime, waitMs) => {
    const verdict = judgeServer(parseInfo(info({ uptime_in_seconds: uptime })), TTL_MS);

    expect(verdict).toEqual({ kind: "fit", runId: "abc", waitMs });
  });

  it.each([
    [{ role: "slave" }, /not a master/],
    [{ maxmemory: "1000", maxmemory_policy: "allkeys-lru" }, /set noeviction/],
    [{ maxmemory: "1000", maxmemory_policy: "volatile-ttl" }, /set noeviction/],
    [{ run_id: "" }, /run_id/],
    [{ uptime_in_seconds: "soon" }, /uptime/],
  ])("refuses one that tells %o", (changed, reason) => {
    expect(judgeServer(parseInfo(info(changed)), TTL_MS)).toMatchObject({
      kind: "unfit",
      reason: expect.stringMatching(reason) as string,
    });
  });

  it("lets one keep locks whose memory is limited but never freed by dropping keys", () => {
    const told = info({ maxmemory: "1000", maxmemory_policy: "noeviction" });

    expect(judgeServer(parseInfo(told), TTL_MS)).toMatchObject({ kind: "fit" });
  });
});
