/** `npm run bench -- NAME [--json]`: ratios of ours to a reference, measured side by side in one run. */
import { benchBacktest } from "./backtest.ts";
import { benchCcxt } from "./ccxt.ts";
import { benchCopy } from "./copy.ts";
import { benchFleet } from "./fleet.ts";
import { benchLocks } from "./locks.ts";
import { benchMatchingMemory } from "./matching-memory.ts";
import { benchMatching } from "./matching.ts";
import { benchStorage } from "./storage.ts";
import { benchVenue } from "./venue.ts";
import type { Bench } from "./bench.ts";
import { printTable } from "./bench.ts";

const BENCHES: Readonly<Record<string, Bench>> = {
  backtest: benchBacktest,
  ccxt: benchCcxt,
  copy: benchCopy,
  fleet: benchFleet,
  locks: benchLocks,
  "matching-memory": benchMatchingMemory,
  matching: benchMatching,
  storage: benchStorage,
  venue: benchVenue,
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
