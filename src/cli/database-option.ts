/** Which database a command is about: an address, or the config file of an instance. */
import { loadConfig } from "../config/load-config.ts";
import { QuantmeshError, hasCode } from "../domain/errors.ts";
import type { DatabaseAddress } from "../storage/dsn.ts";
import { parseDsn } from "../storage/dsn.ts";
import { databaseAddress } from "./database-config.ts";

export interface DatabaseOptions {
  readonly config?: string;
  readonly dsn?: string;
}

/** Throws CONFIG_INVALID where not exactly one of both is given. */
export async function databaseOf({ config, dsn }: DatabaseOptions): Promise<DatabaseAddress> {
  if (config !== undefined && dsn === undefined) return databaseOfConfig(config);
  if (dsn !== undefined && config === undefined) return addressOf("--dsn", dsn);
  throw new QuantmeshError("CONFIG_INVALID", "which database? give either --dsn or the config file with -c");
}

/** An address, or the path of a config file. Throws CONFIG_INVALID that names `option` and shows no password. */
export async function addressOf(option: string, text: string): Promise<DatabaseAddress> {
  if (text.trim() === "") throw new QuantmeshError("CONFIG_INVALID", `${option} is empty: give a database`);
  if (/\.(ya?ml|json)$/i.test(text)) return databaseOfConfig(text);
  try {
    return parseDsn(text);
  } catch (error) {
    if (!hasCode(error, "CONFIG_INVALID")) throw error;
    throw new QuantmeshError("CONFIG_INVALID", error.message.replace(/^database\.dsn/, option), {
      cause: error,
    });
  }
}

async function databaseOfConfig(file: string): Promise<DatabaseAddress> {
  return databaseAddress(await loadConfig(file));
}
