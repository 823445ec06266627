/** Opens the database of a config for a command that only looks: a missing file is not made. */
import { existsSync } from "node:fs";
import type { Config } from "../config/schema.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { createStorage } from "../storage/create-storage.ts";
import { parseDsn } from "../storage/dsn.ts";
import type { Storage } from "../storage/storage.ts";

export async function openExisting({ database }: Config, configFile: string): Promise<Storage> {
  const address = parseDsn(database.dsn, database.type);
  if (address.type === "sqlite" && !existsSync(address.file)) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `there is no database at ${address.file} yet: start an instance with \`quantmesh run -c ${configFile}\``,
    );
  }
  return createStorage(address);
}
