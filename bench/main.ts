/** `npm run bench -- NAME [--json]`: ratios of ours to a reference, measured side by side in one run. */
import { benchBacktest } from "./backtest.ts";
import type { Bench } from "./bench.ts";
import { printTable } from "./bench.ts";
import { benchFleet } from "./fleet.ts";
import { benchLocks } from "./locks.ts";
import { benchStorage } from "./storage.ts";

const BENCHES: Readonly<Record<string, Bench>> = {
  backtest: benchBacktest,
  fleet: benchFleet,
  locks: benchLocks,
  storage: benchStorage,
};

const args = process.argv.slice(2);
const name = args.find((arg) => !arg.startsWith("-"));
const bench = name === undefined ? undefined : BENCHES[name];
if (name === undefined || bench === undefined) {
  console.error(`usage: npm run bench -- NAME [--json]\nNAME: ${Object.keys(BENCHES).join(", ")}`);
  process.exitCode = 2;
} else {
  const results = await bench();
  printTable(name, results);
  if (args.includes("--json")) console.log(JSON.stringify({ bench: name, results }));
}
