/** The commands and options of `quantmesh`. */
import { Command } from "commander";
import { QuantmeshError } from "../domain/errors.ts";
import { addBacktestCommand } from "./backtest-command.ts";
import { addConfigCommands } from "./config-command.ts";
import { addDbCommands } from "./db-command.ts";
import { addDoctorCommand } from "./doctor-command.ts";
import { addDownloadDataCommand } from "./download-data-command.ts";
import { addExchangesCommand } from "./exchanges-command.ts";
import { addFleetCommands } from "./fleet-commands.ts";
import { addListCommands } from "./list-commands.ts";
import { addListDataCommand } from "./list-data-command.ts";
import { addListMarketsCommand } from "./list-markets-command.ts";
import { addPlanCommand } from "./plan-command.ts";
import { addVenueCommand } from "./venue-command.ts";
import { readVersion } from "./version.ts";

interface RootOptions {
  readonly config?: string;
  readonly standby?: boolean;
}

export function createProgram(): Command {
  const program = new Command("quantmesh")
    .description("A distributed grid-trading bot fleet: no order placed twice, no fill lost.")
    .version(readVersion())
    .enablePositionalOptions()
    .helpCommand(true)
    .showHelpAfterError("(quantmesh -h shows the commands)")
    .exitOverride()
    .option("-c, --config <file>", "start an instance from this config file (same as `run -c`)")
    .option("--standby", "start as a hot standby")
    .addHelpText(
      "after",
      "\nExit codes: 0 done · 1 failed · 2 wrong config or usage · 130 stopped by Ctrl-C before it was done",
    )
    .allowExcessArguments(true)
    .action(async (options: RootOptions) => {
      const [unknown] = program.args;
      if (unknown !== undefined) {
        throw new QuantmeshError(
          "CONFIG_INVALID",
          `unknown command "${unknown}" (quantmesh -h shows the commands)`,
        );
      }
      const file = options.config ?? process.env["CONFIG_PATH"];
      if (!file) return program.help({ error: true });
      await run(file, options);
    });
  program
    .command("run")
    .description("start an instance and trade until Ctrl-C, or until a replay ends")
    .requiredOption("-c, --config <file>", "config file (YAML or JSON)", process.env["CONFIG_PATH"])
    .option("--standby", "start as a hot standby")
    .action(async (options: { readonly config: string; readonly standby?: boolean }) =>
      run(options.config, options),
    );
  addBacktestCommand(program);
  addPlanCommand(program);
  addConfigCommands(program);
  addListCommands(program);
  addDbCommands(program);
  addFleetCommands(program);
  addDoctorCommand(program);
  addExchangesCommand(program);
  addListMarketsCommand(program);
  addDownloadDataCommand(program);
  addListDataCommand(program);
  addVenueCommand(program);
  for (const command of program.commands) inheritSettings(program, command);
  return program;
}

/** Loaded when it is asked for: the drivers of exchanges and lock services take memory and time that others need not. */
async function run(config: string, { standby = false }: { readonly standby?: boolean }): Promise<void> {
  const { runCommand } = await import("./run-command.ts");
  await runCommand(config, { standby });
}

/**
 * Sub-commands made with `addCommand` or `command` after the settings still need them. A word too many is refused there, not
 * passed over: it would mostly be the second half of something that was meant.
 */
function inheritSettings(from: Command, command: Command): void {
  command.copyInheritedSettings(from).allowExcessArguments(false);
  for (const child of command.commands) inheritSettings(from, child);
}
