/** Opens the database of a config for a command that only looks: a missing file is not made. */
import { existsSync } from "node:fs";
import type { Config } from "../config/schema.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { openStorage } from "../storage/create-storage.ts";
import type { Storage } from "../storage/storage.ts";
import { databaseAddress, databaseOptions } from "./database-config.ts";

export async function openExisting(config: Config, configFile: string): Promise<Storage> {
  const address = databaseAddress(config);
  if (address.type === "sqlite" && !existsSync(address.file)) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `there is no database at ${address.file} yet: start an instance with \`quantmesh run -c ${configFile}\``,
    );
  }
  return openStorage(address, databaseOptions(config));
}
