/** The environment variables of the Go project's own deployment, as overrides of the keys that they stand for. */
import type { Environment } from "./expand-variables.ts";

const MEANING: Readonly<Record<string, string>> = {
  INSTANCE_ID: "QUANTMESH__INSTANCE__ID",
  INSTANCE_INDEX: "QUANTMESH__INSTANCE__INDEX",
  INSTANCE_TOTAL: "QUANTMESH__INSTANCE__TOTAL",
  DATABASE_TYPE: "QUANTMESH__DATABASE__TYPE",
  DATABASE_DSN: "QUANTMESH__DATABASE__DSN",
  REDIS_ADDR: "QUANTMESH__DISTRIBUTED_LOCK__REDIS__ADDR",
};
const ROLE = "QUANTMESH__INSTANCE__ROLE";

/** `env` with these variables under their names here; what is set under both is taken from the name here. */
export function withOriginalNames(env: Environment): Environment {
  const renamed = Object.fromEntries(
    Object.entries(MEANING)
      .filter(([original]) => env[original])
      .map(([original, name]) => [name, env[original]]),
  );
  const isStandby = /^(true|1|yes)$/i.test(env["STANDBY_MODE"] ?? "");
  return { ...renamed, ...(isStandby ? { [ROLE]: "standby" } : {}), ...env };
}
