/** A folder with the config that `npm start` uses, and what its simulated exchange knows. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startInstance } from "../../src/cli/run-instance.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { addMoney, formatMoney } from "../../src/domain/amounts.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import type { AuditEntry } from "../../src/exchange/sim/read-audit.ts";
import { readAudit } from "../../src/exchange/sim/read-audit.ts";
import { logInto } from "./kept-log.ts";

const DEFAULT = "config/quantmesh.yaml";
/** The file's name inside of a folder. */
export const CONFIG = "quantmesh.yaml";

/** The shipped config on any free port, with some of its text replaced; each piece must be there. */
export function defaultConfig(replaced: Readonly<Record<string, string>> = {}): string {
  let text = readFileSync(DEFAULT, "utf8");
  for (const [from, to] of Object.entries({ "port: 28888": "port: 0", ...replaced })) {
    if (!text.includes(from)) throw new Error(`${DEFAULT} has no "${from}"`);
    text = text.replace(from, to);
  }
  return text;
}

/** A new temporary folder with `config` in it. */
export function configFolder(config: string): string {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-e2e-"));
  writeFileSync(join(folder, CONFIG), config);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export interface ExchangeSide {
  /** Free and locked together, exact text by asset. */
  readonly balances: Readonly<Record<string, string>>;
  readonly audit: readonly AuditEntry[];
}

/** Starts a stopped instance of the shipped config once more, in a market that stands still, and asks its exchange. */
export async function readExchange(folder: string): Promise<ExchangeSide> {
  const config = await loadConfig(join(folder, CONFIG));
  const { sim } = config.exchanges;
  const journal = join(folder, sim.journal);
  const asked: Exchange[] = [];
  const running = await startInstance(
    {
      ...config,
      exchanges: { ...config.exchanges, sim: { ...sim, journal } },
      database: { ...config.database, dsn: join(folder, config.database.dsn) },
      web: { ...config.web, enabled: false },
    },
    logInto([]),
    {
      exchange: (real) => {
        asked.push(real);
        return real;
      },
    },
  );
  try {
    return { balances: await balancesOf(asked), audit: readAudit(journal) };
  } finally {
    await running.close("asked");
  }
}

async function balancesOf(exchanges: readonly Exchange[]): Promise<Readonly<Record<string, string>>> {
  const balances = (await Promise.all(exchanges.map((exchange) => exchange.balances()))).flat();
  return Object.fromEntries(
    balances.map(({ asset, free, locked }) => [asset, formatMoney(addMoney(free, locked))]),
  );
}
