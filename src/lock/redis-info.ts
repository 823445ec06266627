/** Reads Redis' own report about itself, and decides whether it may keep locks. */

export type RedisInfo = ReadonlyMap<string, string>;

export type ServerVerdict =
  | { readonly kind: "unfit"; readonly reason: string }
  | { readonly kind: "fit"; readonly runId: string; readonly waitMs: number };

/** `name:value` lines; headings and empty lines are left out. */
export function parseInfo(text: string): RedisInfo {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const [, name, value] = /^([^#:]+):(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/**
 * A server that started less than `maxTtlMs` ago may have forgotten locks whose holders still trust them, so it has
 * to wait for `waitMs`; one that may drop keys on its own, or cannot be written to, keeps no locks at all.
 */
export function judgeServer(info: RedisInfo, maxTtlMs: number): ServerVerdict {
  const of = (name: string): string => info.get(name) ?? "";
  if (of("role") !== "master")
    return unfit(`it is a ${of("role") || "server of unknown role"}, not a master`);
  if (Number(of("maxmemory")) > 0 && of("maxmemory_policy") !== "noeviction") {
    return unfit(
      `its maxmemory-policy ${of("maxmemory_policy")} may drop locks that are held: set noeviction`,
    );
  }
  // Two clock readings in whole seconds, subtracted: the server may be almost one second younger than it says.
  const ageMs = (Number(of("uptime_in_seconds")) - 1) * 1000;
  if (!Number.isFinite(ageMs) || of("run_id") === "") return unfit("it does not tell its run_id and uptime");
  return { kind: "fit", runId: of("run_id"), waitMs: Math.max(0, maxTtlMs - ageMs) };
}

function unfit(reason: string): ServerVerdict {
  return { kind: "unfit", reason };
}
