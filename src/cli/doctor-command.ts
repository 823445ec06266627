/** `quantmesh doctor`: looks at everything that an instance needs, and says what to do about what is wrong. */
import type { Command } from "commander";
import { loadConfigWithWarnings, parseValues, readValues } from "../config/load-config.ts";
import { withShared } from "../config/shared-config.ts";
import type { Config } from "../config/schema.ts";
import type { Finding } from "../domain/finding.ts";
import { fault, warn } from "../domain/finding.ts";
import { countFindings, findingsAsJson, formatFindings } from "./doctor/format-findings.ts";
import type { FleetSight } from "./doctor/look-at-fleet.ts";
import { lookAtFleet } from "./doctor/look-at-fleet.ts";
import { plannedChecks } from "./doctor/planned-checks.ts";
import { reasonOf, runChecks, within } from "./doctor/run-checks.ts";
import { EXIT_FAILED, EXIT_OK } from "./exit-codes.ts";
import { parseWholeNumber } from "./parse-options.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly timeout: number;
}

const DEFAULT_SECONDS = 3;

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check config, servers, exchange, key and disk, and say what to fix; changes nothing")
    .requiredOption("-c, --config <file>", "config file of an instance", process.env["CONFIG_PATH"])
    .option("--json", "one JSON object")
    .option(
      "--timeout <seconds>",
      "how long each server may take (the exchange five times that)",
      parseWholeNumber("--timeout"),
      DEFAULT_SECONDS,
    )
    .addHelpText("after", "\nExit codes: 0 no fault (warnings may be) · 1 a fault · 2 the config is wrong")
    .action(doctor);
}

async function doctor({ config: file, json, timeout }: Options): Promise<void> {
  const limitMs = timeout * 1000;
  const { config: own, warnings } = await loadConfigWithWarnings(file);
  const values = await readValues(file);
  const seen = await seeFleet(own, values, file, limitMs);
  const checks = plannedChecks({ ...seen, file, values, warnings, limitMs });
  const { findings: checked, isUnfinished } = await runChecks(checks);
  const findings = [...checked, ...seen.findings];
  const { faults } = countFindings(findings);
  process.exitCode = faults > 0 ? EXIT_FAILED : EXIT_OK;
  const text = json ? findingsAsJson(file, findings) : formatFindings(findings);
  await new Promise((resolve) => process.stdout.write(`${text}\n`, resolve));
  // What did not answer in time may keep the process for long.
  if (isUnfinished || seen.isUnfinished) process.exit();
}

interface Seen {
  /** The file's, with what the fleet shares in its place. */
  readonly config: Config;
  readonly sight: FleetSight | undefined;
  readonly findings: readonly Finding[];
  readonly isUnfinished: boolean;
}

/** In mode dynamic the fleet's shared config is what runs, and how many instances there are concerns other checks. */
async function seeFleet(own: Config, values: unknown, file: string, limitMs: number): Promise<Seen> {
  const alone = { config: own, sight: undefined, findings: [], isUnfinished: false };
  if (own.coordination.mode !== "dynamic") return alone;
  let sight: FleetSight | undefined;
  try {
    sight = await within(limitMs, lookAtFleet(own));
  } catch (error) {
    const unseen = warn(
      "fleet",
      `not seen: ${reasonOf(error)}`,
      "make etcd answer first, as etcd.reach says",
    );
    return { ...alone, findings: [unseen], isUnfinished: true };
  }
  const { version } = sight;
  if (!version) return { ...alone, sight };
  try {
    const source = `${file} with version ${version.version} of the fleet's config`;
    return { ...alone, sight, config: parseValues(withShared(values, version.shared), source).config };
  } catch (error) {
    const remedy = "store a right version with quantmesh config set --from FILE";
    return { ...alone, sight, findings: [fault("fleet", reasonOf(error), remedy)] };
  }
}
