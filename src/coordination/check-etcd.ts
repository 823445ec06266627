/** Asks etcd what matters to a fleet. The only thing written is a lease without keys, which is given back at once. */
import type { Finding } from "../domain/finding.ts";
import { fault, ok, warn } from "../domain/finding.ts";
import { formatMs, medianMs } from "../domain/round-trip.ts";
import type { EtcdMember, EtcdOptions } from "./etcd-store.ts";
import { inspectMembers, openEtcdStore } from "./etcd-store.ts";

export interface LeaseProbe {
  readonly askedMs: number;
  readonly grantedMs: number;
  /** What the grant took, which waits for the disks of a majority. */
  readonly tookMs: number;
}

type Answered = Extract<EtcdMember, { readonly kind: "answered" }>;

const SLOW_MS = 100;
/** A grant is one entry of the log, synced by a majority. */
const SLOW_DISK_MS = 500;
const OLDEST = [3, 4] as const;
const HOSTS = "coordination.etcd.hosts";

/** `leaseMs`: what the fleet will ask for. What fails is a finding, not an error. */
export async function checkEtcd(options: EtcdOptions, leaseMs: number): Promise<readonly Finding[]> {
  const members = await inspectMembers(options);
  const works = members.some(
    (member) => member.kind === "answered" && member.hasLeader && member.alarms.length === 0,
  );
  return [...judgeMembers(members), ...(works ? [await checkLease(options, leaseMs)] : [])];
}

async function checkLease(options: EtcdOptions, leaseMs: number): Promise<Finding> {
  const store = openEtcdStore(options);
  try {
    // The first call also makes the connection.
    await store.list("/quantmesh/doctor/");
    const started = performance.now();
    const { id, ttlMs } = await store.grantLease(leaseMs);
    const tookMs = performance.now() - started;
    await store.revokeLease(id);
    return judgeLease({ askedMs: leaseMs, grantedMs: ttlMs, tookMs });
  } catch (error) {
    return fault(
      "etcd.lease",
      error instanceof Error ? error.message : String(error),
      `let the user of coordination.etcd write, and see that etcd takes writes (etcdctl alarm list)`,
    );
  } finally {
    store.close();
  }
}

export function judgeLease({ askedMs, grantedMs, tookMs }: LeaseProbe): Finding {
  if (grantedMs > askedMs) {
    return fault(
      "etcd.lease",
      `a lease of ${askedMs / 1000} s is granted for ${grantedMs / 1000} s: a dead instance is missed that much later`,
      `set coordination.lease_ttl to ${grantedMs / 1000} everywhere, or lower etcd's --election-timeout, of which one and a half is its shortest lease`,
    );
  }
  const says = `${grantedMs / 1000} s as asked for, granted in ${formatMs(tookMs)}`;
  if (tookMs <= SLOW_DISK_MS) return ok("etcd.lease", says);
  return warn("etcd.lease", says, "give etcd a disk of its own that syncs faster: every write waits for it");
}

/** `members` in the order of the config. */
export function judgeMembers(members: readonly EtcdMember[]): readonly Finding[] {
  const answered = members.filter((member): member is Answered => member.kind === "answered");
  return [
    ...members.map(judgeMember),
    ...judgeCluster(answered, members.length),
    ...(answered.length === 0 ? [] : [judgeAlarms(answered)]),
  ];
}

function judgeMember(member: EtcdMember): Finding {
  if (member.kind === "silent") {
    return fault(
      "etcd.reach",
      `${member.host}: ${member.reason.replace(/\.? Resolution note: *$/, "")}`,
      `start this member of etcd, or take it out of ${HOSTS}`,
    );
  }
  const { host, version, trips, dbBytes } = member;
  const pingMs = medianMs(trips);
  const megabytes = (dbBytes / 2 ** 20).toFixed(1);
  const answers = trips.length === 0 ? "" : `answers in ${formatMs(pingMs)}, `;
  const says = `${host}: version ${version}, ${answers}${megabytes} MiB`;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return fault("etcd.reach", says, `upgrade etcd to ${OLDEST.join(".")} or newer`);
  }
  if (!(pingMs > SLOW_MS)) return ok("etcd.reach", says);
  return warn("etcd.reach", says, "put etcd nearer to the instances, or raise coordination.etcd.limit_ms");
}

function judgeCluster(answered: readonly Answered[], configured: number): readonly Finding[] {
  const [first] = answered;
  if (!first) return [];
  if (answered.some(({ clusterId }) => clusterId !== first.clusterId)) {
    const others = answered.filter(({ clusterId }) => clusterId !== first.clusterId).map(({ host }) => host);
    return [
      fault(
        "etcd.members",
        `${first.host} and ${others.join(", ")} are of different clusters: two fleets would trade one account`,
        `list the members of one cluster only in ${HOSTS} (etcdctl member list)`,
      ),
    ];
  }
  const { members } = first;
  if (!answered.some(({ hasLeader }) => hasLeader)) {
    return [
      fault(
        "etcd.members",
        `${members} members have no leader: fewer than a majority of ${Math.floor(members / 2) + 1} run`,
        "start the other members of etcd",
      ),
    ];
  }
  const says = `${members} ${members === 1 ? "member" : "members"}, with a leader`;
  if (members % 2 === 0 || members === 1) {
    const why =
      members === 1
        ? "without it instances stop when their permits end"
        : "an even number survives no more failures than one less";
    return [
      warn(
        "etcd.members",
        `${says}: ${why}`,
        "run three or five members of etcd, each on a computer of its own",
      ),
    ];
  }
  if (configured < members) {
    return [
      warn(
        "etcd.members",
        `${says}, ${configured} of them configured`,
        `list all ${members} members in ${HOSTS}`,
      ),
    ];
  }
  return [ok("etcd.members", says)];
}

function judgeAlarms(answered: readonly Answered[]): Finding {
  const alarms = [...new Set(answered.flatMap((member) => member.alarms))];
  if (alarms.length === 0) return ok("etcd.alarms", "none");
  const says = `${alarms.join(", ")}: etcd takes no writes, so no instance can register or take over`;
  if (!alarms.includes("NOSPACE")) {
    return fault("etcd.alarms", says, "restore the corrupt member of etcd from another one or from a backup");
  }
  return fault(
    "etcd.alarms",
    says,
    "compact and defragment etcd (etcdctl compact, defrag), raise --quota-backend-bytes, then etcdctl alarm disarm",
  );
}
