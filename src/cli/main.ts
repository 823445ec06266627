/** The `quantmesh` command: runs the program and turns what fails into one message and an exit code. */
import { CommanderError } from "commander";
import { EXIT_OK, EXIT_USAGE, describeFailure, exitCodeOf } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

export async function main(argv: readonly string[]): Promise<number> {
  try {
    const program = createProgram();
    await program.parseAsync(argv, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : EXIT_OK;
  } catch (error) {
    // Commander has printed its own message.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    process.stderr.write(`quantmesh: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}
