/** `quantmesh venue`: a simulated exchange that speaks Binance spot's dialect, until Ctrl-C. */
import { once } from "node:events";
import { join } from "node:path";
import type { Command } from "commander";
import { loadVenueConfig } from "../config/load-venue-config.ts";
import type { VenueConfig } from "../config/venue-schema.ts";
import { createLog } from "../observe/log.ts";
import { holdProcessLock } from "../storage/process-lock.ts";
import type { VenueServer } from "../venue/server/start-venue.ts";
import { startVenue } from "../venue/server/start-venue.ts";
import { defaultKeysFile, venueOptions } from "./venue-options.ts";
import { parsePort } from "./parse-options.ts";

interface Options {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  readonly adminPort?: number;
  readonly journal?: string;
}

export function addVenueCommand(program: Command): void {
  program
    .command("venue")
    .description("start a simulated exchange that speaks Binance spot's dialect, until Ctrl-C")
    .option("-c, --config <file>", "config file (YAML or JSON); defaults if left out, see docs/venue.md")
    .option("--host <address>", "address to listen on")
    .option("--port <number>", "port of REST and streams; 0 takes any free one", parsePort("--port"))
    .option("--admin-port <number>", "port of the admin server", parsePort("--admin-port"))
    .option("--journal <folder>", "folder of the journal; none keeps nothing")
    .action(async (options: Options) => venueCommand(options));
}

async function venueCommand(options: Options): Promise<void> {
  const loaded = await loadVenueConfig(options.config, process.env);
  const config: VenueConfig = {
    ...loaded,
    host: options.host ?? loaded.host,
    port: options.port ?? loaded.port,
    admin_port: options.adminPort ?? loaded.admin_port,
    journal: options.journal ?? loaded.journal,
  };
  const log = createLog({ level: "info", stream: process.stderr });
  const lock = holdProcessLock(
    config.journal === "none" ? ":memory:" : join(config.journal, "venue"),
    "stop it first, or name another folder with --journal",
  );
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stopping.abort(signal);
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    const server = await startVenue(await venueOptions(config, log));
    process.stdout.write(describe(config, server));
    try {
      await Promise.race([stopping.signal.aborted || once(stopping.signal, "abort"), server.failed]);
    } finally {
      await server.close();
    }
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    lock.release();
  }
}

/** How to connect. */
function describe(config: VenueConfig, { url, port, adminPort }: VenueServer): string {
  const ws = `ws://${config.host}:${port}`;
  const keys = config.keys_file ?? (config.keys.length === 0 ? defaultKeysFile(config) : "the config");
  return [
    `quantmesh venue: Binance spot's dialect at ${url}/api/v3`,
    `  streams    ${ws}/stream and ${ws}/ws`,
    `  user data  ${ws}/ws-api/v3 (userDataStream.subscribe.signature)`,
    `  admin      http://127.0.0.1:${adminPort}/status`,
    `  keys       ${keys}`,
    `  symbols    ${Object.keys(config.symbols).join(", ")}`,
    `  journal    ${config.journal}`,
    "",
  ].join("\n");
}
