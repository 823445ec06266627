/** Looks for bots in the database of a config before an instance opens it: makes and changes nothing. */
import { existsSync } from "node:fs";
import type { Config } from "../config/schema.ts";
import { hasCode } from "../domain/errors.ts";
import type { Bot } from "../domain/grid.ts";
import { openStorage } from "../storage/create-storage.ts";
import type { Storage } from "../storage/storage.ts";
import type { FindBot } from "./check-grids.ts";
import { databaseOptions, storedAt } from "./database-config.ts";

/** Finds none where there is no database yet, or one of another schema. Throws STORAGE_UNAVAILABLE. */
export function findStoredBot(config: Config): FindBot {
  return (market) => askStored(config, undefined, (storage) => storage.findBot(market));
}

/** All of them; none where there is no database yet, or one of another schema. Throws STORAGE_UNAVAILABLE. */
export function listStoredBots(config: Config): Promise<readonly Bot[]> {
  return askStored(config, [], async (storage) => (await storage.listBots()).map(({ bot }) => bot));
}

async function askStored<Answer>(
  config: Config,
  otherwise: Answer,
  ask: (storage: Storage) => Promise<Answer>,
): Promise<Answer> {
  const address = storedAt(config);
  if (address.type === "sqlite" && !existsSync(address.file)) return otherwise;
  try {
    const storage = await openStorage(address, databaseOptions(config));
    try {
      return await ask(storage);
    } finally {
      await storage.close();
    }
  } catch (error) {
    if (hasCode(error, "CONFIG_INVALID")) return otherwise;
    throw error;
  }
}
