/** What a check of the installation found: what was measured, how it was judged, and what to do about it. */

/** The checks of `quantmesh doctor` and what each looks at; docs/doctor.md has the same names. */
export const CHECKS = {
  config: "keys of the config that have no effect, and what its sections mean together",
  secrets: "who else may read the files that hold keys and passwords",
  machine: "the version of Node, the limit of open files",
  disk: "folders of the database, the spool and journals: room, sync time, kind of file system",
  ports: "the ports that this instance listens on",
  "database.reach": "whether the database answers, how fast, and its version",
  "database.schema": "the version of the tables",
  "database.durability": "whether a commit waits for the disk",
  "database.isolation": "what transactions see of one another",
  "database.connections": "room for the pools of all instances",
  "database.clock": "how far this computer's clock is from the database's",
  lock: "which lock guards the price levels, and from whom",
  "redis.reach": "whether the server answers, how fast, and its version",
  "redis.role": "whether it takes writes, and whether other servers copy them late",
  "redis.eviction": "whether it may drop locks that are held",
  "redis.memory": "room for locks",
  "redis.persistence": "what a restart forgets, and whether a failed save stops writes",
  "redis.age": "whether it is old enough to grant",
  "redis.quorum": "number and independence of the servers of a majority",
  "etcd.reach": "whether each member answers, how fast, and its version",
  "etcd.members": "whether the members are one cluster with a majority",
  "etcd.alarms": "whether it has stopped taking writes",
  "etcd.lease": "whether a lease is as short as it was asked for",
  fleet: "the running instances: their versions and configs, and what they complain of",
  "fleet.peers": "whether heartbeats of the others can be heard from here",
  "exchange.reach": "whether it answers, how fast, and whether it may be traded",
  "exchange.clock": "how far this computer's clock is from the exchange's",
  "exchange.key": "what the key may do, and from where",
  "exchange.limits": "whether the reads and orders of all grids fit the exchange's limits",
  "exchange.balance": "whether the account can pay for the grids",
  grid: "each grid against the symbol's rules, price and fees",
} as const;

export type CheckName = keyof typeof CHECKS;

/** Nothing in it is a secret. `remedy` is one sentence that names the setting and its value. */
export type Finding =
  | { readonly check: CheckName; readonly level: "ok"; readonly says: string }
  | {
      readonly check: CheckName;
      readonly level: "warn" | "fault";
      readonly says: string;
      readonly remedy: string;
    };

export function ok(check: CheckName, says: string): Finding {
  return { check, level: "ok", says };
}

/** It works, but not as well or as safely as it could. */
export function warn(check: CheckName, says: string, remedy: string): Finding {
  return { check, level: "warn", says, remedy };
}

/** It does not work, or money is at risk. */
export function fault(check: CheckName, says: string, remedy: string): Finding {
  return { check, level: "fault", says, remedy };
}

/** The fault where `isWrong`, otherwise that all is well. */
export function faultIf(isWrong: boolean, check: CheckName, says: string, remedy: string): Finding {
  return isWrong ? fault(check, says, remedy) : ok(check, says);
}
