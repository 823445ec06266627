/** What is said of an etcd cluster. */
import { describe, expect, it } from "vitest";
import { judgeLease, judgeMembers } from "../../../src/coordination/check-etcd.ts";
import type { EtcdMember } from "../../../src/coordination/etcd-store.ts";

type Answered = Extract<EtcdMember, { readonly kind: "answered" }>;

function member(number: number, changes: Partial<Answered> = {}): EtcdMember {
  return {
    kind: "answered",
    host: `http://e${number}:2379`,
    version: "3.4.23",
    clusterId: "1",
    hasLeader: true,
    members: 3,
    alarms: [],
    dbBytes: 2 ** 20,
    trips: [{ sent: 0, received: 2 }],
    ...changes,
  };
}
const THREE = [member(1), member(2), member(3)];

function worst(members: readonly EtcdMember[]): string[] {
  return judgeMembers(members)
    .filter(({ level }) => level !== "ok")
    .map(({ check, level }) => `${level} ${check}`);
}

describe("an etcd cluster", () => {
  it("of three members is good", () => {
    expect(judgeMembers(THREE).map(({ level, says }) => `${level} ${says}`)).toEqual([
      "ok http://e1:2379: version 3.4.23, answers in 2.0 ms, 1.0 MiB",
      "ok http://e2:2379: version 3.4.23, answers in 2.0 ms, 1.0 MiB",
      "ok http://e3:2379: version 3.4.23, answers in 2.0 ms, 1.0 MiB",
      "ok 3 members, with a leader",
      "ok none",
    ]);
  });

  it.each<[string, readonly EtcdMember[], readonly string[]]>([
    [
      "with a dead member",
      [member(1), member(2), { kind: "silent", host: "http://e3:2379", reason: "refused" }],
      ["fault etcd.reach"],
    ],
    ["without a leader", [member(1, { hasLeader: false, trips: [] })], ["fault etcd.members"]],
    ["that is two clusters", [member(1), member(2, { clusterId: "2" })], ["fault etcd.members"]],
    ["of one member", [member(1, { members: 1 })], ["warn etcd.members"]],
    ["of an even number", THREE.map((one) => ({ ...one, members: 4 })), ["warn etcd.members"]],
    ["of which not all are configured", [member(1)], ["warn etcd.members"]],
    ["that is full", [member(1, { alarms: ["NOSPACE"] }), member(2), member(3)], ["fault etcd.alarms"]],
    ["that is corrupt", [member(1, { alarms: ["CORRUPT"] }), member(2), member(3)], ["fault etcd.alarms"]],
    [
      "that is too old",
      THREE.map((one) => ({ ...one, version: "3.3.27" })),
      Array(3).fill("fault etcd.reach"),
    ],
  ])("%s is told of", (_, members, expected) => {
    expect(worst(members)).toEqual(expected);
  });
});

describe("a lease", () => {
  it("must be as short as it was asked for", () => {
    expect(judgeLease({ askedMs: 10_000, grantedMs: 10_000, tookMs: 4 })).toMatchObject({ level: "ok" });
    expect(judgeLease({ askedMs: 10_000, grantedMs: 15_000, tookMs: 4 })).toMatchObject({
      level: "fault",
      remedy: expect.stringContaining("coordination.lease_ttl to 15"),
    });
  });

  it("that takes long tells of a slow disk", () => {
    expect(judgeLease({ askedMs: 10_000, grantedMs: 10_000, tookMs: 900 })).toMatchObject({ level: "warn" });
  });
});
