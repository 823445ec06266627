/** Looks for a bot in the database of a config before an instance opens it: makes and changes nothing. */
import { existsSync } from "node:fs";
import type { Config } from "../config/schema.ts";
import { hasCode } from "../domain/errors.ts";
import { openStorage } from "../storage/create-storage.ts";
import type { FindBot } from "./check-grids.ts";
import { databaseOptions, storedAt } from "./database-config.ts";

/** Finds none where there is no database yet, or one of another schema. Throws STORAGE_UNAVAILABLE. */
export function findStoredBot(config: Config): FindBot {
  const address = storedAt(config);
  return async (market) => {
    if (address.type === "sqlite" && !existsSync(address.file)) return undefined;
    try {
      const storage = await openStorage(address, databaseOptions(config));
      try {
        return await storage.findBot(market);
      } finally {
        await storage.close();
      }
    } catch (error) {
      if (hasCode(error, "CONFIG_INVALID")) return undefined;
      throw error;
    }
  };
}
