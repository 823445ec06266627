/** The simulated market's drills in the config → their options. */
import type { SimConfig } from "../config/schema.ts";
import type { CrowdOptions } from "../venue/market/crowd.ts";
import type { FaultOptions } from "../exchange/sim/faults.ts";

export function faultOptions(faults: NonNullable<SimConfig["faults"]>): FaultOptions {
  return camelCase(faults);
}

export function crowdOptions(crowd: NonNullable<SimConfig["crowd"]>): CrowdOptions {
  return camelCase(crowd);
}

/** `max_delay_ms` → `maxDelayMs`; a test of the config compares the names. */
function camelCase<Options extends object>(section: object): Options {
  const entries = Object.entries(section).map(([key, value]: [string, unknown]) => [
    key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as Options;
}
