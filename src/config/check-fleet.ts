/** What a fleet asks of the other sections: everything that several processes must share. */
import type { Finding } from "./path.ts";

/** The checked sections as far as a fleet concerns them. */
export interface FleetSections {
  readonly coordination: {
    readonly mode: "solo" | "static" | "dynamic";
    readonly secret?: string | undefined;
    readonly etcd: { readonly hosts: readonly string[] };
    readonly heartbeat_ms: number;
    readonly silence_ms: number;
  };
  readonly instance: { readonly role: string; readonly index: number; readonly total: number };
  readonly database: { readonly type: string };
  readonly distributed_lock: { readonly type: string };
  readonly system: { readonly cancel_on_exit: boolean; readonly close_positions_on_exit: boolean };
}

/** Every reason why these instances cannot work together. */
export function checkFleet({
  coordination,
  instance,
  database,
  distributed_lock: lock,
  system,
}: FleetSections): readonly Finding[] {
  const { mode, secret, etcd } = coordination;
  const problems: Finding[] = [];
  const problem = (path: readonly string[], reason: string): void =>
    void problems.push({ path: [...path], reason });
  if (instance.index >= instance.total) {
    problem(
      ["instance", "index"],
      `must be below instance.total, which is ${instance.total}; the first is 0`,
    );
  }
  if (mode !== "static" && instance.total > 1) {
    problem(
      ["instance", "total"],
      "shares the symbols in coordination.mode: static only; dynamic counts by itself",
    );
  }
  if (mode !== "dynamic" && instance.role === "standby") {
    problem(["instance", "role"], "a standby needs a fleet: set coordination.mode to dynamic");
  }
  if (mode === "solo") return problems;
  if (database.type === "sqlite") {
    problem(["database", "type"], `a fleet in mode ${mode} shares one database: set postgres or mysql`);
  }
  if (lock.type === "memory") {
    problem(
      ["distributed_lock", "type"],
      `memory guards one process, and mode ${mode} has several: set redis, etcd or database`,
    );
  }
  if (system.cancel_on_exit || system.close_positions_on_exit) {
    const key = system.cancel_on_exit ? "cancel_on_exit" : "close_positions_on_exit";
    problem(
      ["system", key],
      `an exit hands its symbols to the rest of the fleet (mode ${mode}); set it to false`,
    );
  }
  if (mode !== "dynamic") return problems;
  if (etcd.hosts.length === 0)
    problem(["coordination", "etcd", "hosts"], "mode dynamic needs etcd: name its hosts");
  if (secret === undefined || secret.length < 16) {
    problem(
      ["coordination", "secret"],
      "mode dynamic needs a secret of at least 16 characters, the same everywhere",
    );
  }
  if (coordination.silence_ms < 2 * coordination.heartbeat_ms) {
    problem(["coordination", "silence_ms"], "must be at least twice heartbeat_ms");
  }
  return problems;
}
