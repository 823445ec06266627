/**
 * Replays a config on a database server until its spool is full, and waits there to be killed.
 * argv: config file, address of the database. Says `ready` half way and goes on at any input; says `full` at the end.
 */
import { once } from "node:events";
import { startInstance } from "../../src/cli/run-instance.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createStorage } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import { logInto } from "./kept-log.ts";
import { override } from "./override.ts";

const [, , file = "", dsn = ""] = process.argv;
const OUTAGE_AT_MS = 15 * 60_000;
const CAPACITY = 4;

const loaded = await loadConfig(file);
const config = { ...loaded, database: { ...loaded.database, spool_capacity: CAPACITY } };
const database = await createStorage(parseDsn(dsn));
let isDue = false;
const storage = override(database, {
  commit: async (claim, bot, records) => {
    if (isDue) {
      isDue = false;
      process.stdout.write("ready\n");
      await once(process.stdin, "data");
    }
    return database.commit(claim, bot, records);
  },
});
const running = await startInstance(config, logInto([]), {
  storage: () => storage,
  spool: (real) =>
    override(real, {
      add: (fills) => {
        const outcome = real.add(fills);
        if (outcome === "full") process.stdout.write("full\n");
        return outcome;
      },
    }),
});
running.market.clock.after(OUTAGE_AT_MS, () => {
  isDue = true;
});
await running.run(new AbortController().signal);
