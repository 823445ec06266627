/** `quantmesh config check|show`. */
import type { Command } from "commander";
import { stringify } from "yaml";
import { loadConfig, loadConfigWithWarnings } from "../config/load-config.ts";
import { addConfigCentreCommands } from "./config-centre-commands.ts";
import { addRollOutCommands } from "./config-roll-out-commands.ts";
import { redactConfig } from "../config/redact-config.ts";
import { databaseAddress } from "./database-config.ts";
import { previewGrids } from "./preview-grids.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

export function addConfigCommands(program: Command): void {
  const config = program.command("config").description("look at a config file, and at what a fleet shares");
  addConfigCentreCommands(config);
  addRollOutCommands(config);
  config
    .command("check")
    .description("check a config file and its grids; exit code 2 where something is wrong")
    .requiredOption("-c, --config <file>", "config file")
    .action(async (options: Options) => {
      const { config: checked, warnings } = await loadConfigWithWarnings(options.config);
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      databaseAddress(checked);
      const grids = await previewGrids(checked);
      process.stdout.write(`${options.config}: ok, ${grids.length} grid${grids.length === 1 ? "" : "s"}\n`);
    });
  config
    .command("show")
    .description("print a config file with all defaults filled in")
    .requiredOption("-c, --config <file>", "config file")
    .option("--json", "as JSON")
    .action(async (options: Options) => {
      const shown = redactConfig(await loadConfig(options.config));
      process.stdout.write(options.json ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown));
    });
}
