/** `quantmesh config check|show`. */
import type { Command } from "commander";
import { stringify } from "yaml";
import { loadConfig, loadConfigWithWarnings } from "../config/load-config.ts";
import type { QuantmeshError } from "../domain/errors.ts";
import { hasCode } from "../domain/errors.ts";
import { addConfigCentreCommands } from "./config-centre-commands.ts";
import { addRollOutCommands } from "./config-roll-out-commands.ts";
import { redactConfig } from "../config/redact-config.ts";
import { databaseAddress } from "./database-config.ts";
import { EXIT_USAGE } from "./exit-codes.ts";
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
    .option("--json", "one JSON object, also of what is wrong")
    .action(check);
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

/** What `config check` found. Grids and other warnings are not looked at before the file itself is right. */
interface Checked {
  readonly config: string;
  readonly isValid: boolean;
  readonly grids: number;
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

async function check({ config: file, json = false }: Options): Promise<void> {
  const { failure, ...checked } = await checkFile(file);
  if (json) process.stdout.write(`${JSON.stringify(checked, null, 2)}\n`);
  else for (const warning of checked.warnings) process.stderr.write(`warning: ${warning}\n`);
  if (failure) {
    if (!json) throw failure;
    process.exitCode = EXIT_USAGE;
  } else if (!json) {
    const { grids } = checked;
    process.stdout.write(`${file}: ok, ${grids} grid${grids === 1 ? "" : "s"}\n`);
  }
}

/** Throws where the file cannot be judged, as when its exchange does not answer. */
async function checkFile(config: string): Promise<Checked & { readonly failure?: QuantmeshError }> {
  let warnings: readonly string[] = [];
  try {
    const loaded = await loadConfigWithWarnings(config);
    warnings = loaded.warnings;
    databaseAddress(loaded.config);
    const { length: grids } = await previewGrids(loaded.config);
    return { config, isValid: true, grids, warnings, problems: [] };
  } catch (error) {
    if (!hasCode(error, "CONFIG_INVALID")) throw error;
    return {
      config,
      isValid: false,
      grids: 0,
      warnings,
      problems: error.message.split("\n"),
      failure: error,
    };
  }
}
