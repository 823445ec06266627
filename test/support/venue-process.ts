/** The venue's server as a test's own process, and the client of its admin port. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import type { PrivateServer } from "./servers/private-server.ts";
import { freePort, serverFolder, startServer } from "./servers/private-server.ts";

/** Starts in a third of the time of the built one, and needs no build. */
const COMMAND = "src/cli/dev.ts";
export const VENUE_KEY = { apiKey: "test-key-0001", secret: "test-secret-0001" } as const;
export const READ_ONLY_KEY = { apiKey: "read-key-0001", secret: "read-secret-0001" } as const;
export const WITHDRAW_KEY = { apiKey: "withdraw-key-0001", secret: "withdraw-secret-0001" } as const;

export interface VenueFault {
  readonly kind: string;
  readonly route?: string;
  readonly probability?: number;
  readonly times?: number;
  readonly delay_ms?: number;
  readonly status?: number;
  readonly age_ms?: number;
}

export interface VenueStatus {
  readonly time: number;
  readonly connections: number;
  readonly requests: number;
  /** By Binance's code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** How often each fault struck. */
  readonly faults: Readonly<Record<string, number>>;
  readonly symbols: Readonly<Record<string, { readonly price: number; readonly points: number }>>;
}

/** What tests do to a venue from outside. */
export class VenueAdmin {
  readonly #url: string;

  constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}`;
  }

  async status(): Promise<VenueStatus> {
    return (await this.call("GET", "/status")) as VenueStatus;
  }

  /** Moves the price by hand; `share`: the part of each crossed order that executes. */
  async move(symbol: string, price: string, share = 1): Promise<void> {
    await this.call("POST", "/move", { symbol, price, share });
  }

  async deposit(account: string, asset: string, amount: string): Promise<void> {
    await this.call("POST", "/deposit", { account, asset, amount });
  }

  /** Replaces all fault switches. */
  async faults(switches: readonly VenueFault[]): Promise<void> {
    await this.call("PUT", "/faults", switches);
  }

  async setClockOffset(ms: number): Promise<void> {
    await this.call("POST", "/clock", { offset_ms: ms });
  }

  async maintenance(on: boolean): Promise<void> {
    await this.call("POST", "/maintenance", { on });
  }

  /** Ends every stream connection. */
  async disconnect(): Promise<void> {
    await this.call("POST", "/disconnect", {});
  }

  /** Everything the venue knows, as text. */
  async state(): Promise<string> {
    return JSON.stringify(await this.call("GET", "/state"));
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }
}

export interface VenueProcess {
  readonly server: PrivateServer;
  readonly admin: VenueAdmin;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly wsUrl: string;
  readonly adminUrl: string;
  /** Folder of its journal, which is its audit. */
  readonly journal: string;
}

/** The config of a venue whose prices only the admin moves; `changes` replace whole top-level sections. */
export function venueTestConfig(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const key = (
    { apiKey, secret }: { readonly apiKey: string; readonly secret: string },
    permissions: readonly string[],
  ) => ({ api_key: apiKey, secret_key: secret, account: "main", permissions });
  return {
    seed: "1",
    limits: { weight_per_minute: "1000000", orders_per_10_seconds: "1000000", orders_per_day: "10000000" },
    accounts: { main: { USDT: "100000", BTC: "1" }, other: { USDT: "1000000", BTC: "100" } },
    symbols: {
      "BTC/USDT": {
        tick_size: "0.01",
        lot_size: "0.00001",
        min_notional: "5",
        max_open_orders: "100000",
        market: { type: "manual", start_price: "60000" },
      },
    },
    keys_list: [
      key(VENUE_KEY, ["read", "trade"]),
      key(READ_ONLY_KEY, ["read"]),
      key(WITHDRAW_KEY, ["read", "trade", "withdraw"]),
      {
        ...key({ apiKey: "other-key-0001", secret: "other-secret-0001" }, ["read", "trade"]),
        account: "other",
      },
    ],
    ...changes,
  };
}

/** Starts a venue on free ports with its journal in a temporary folder; `stop` removes all of it. */
export async function startVenueProcess(
  changes: Readonly<Record<string, unknown>> = {},
): Promise<VenueProcess> {
  const folder = serverFolder("venue");
  const [port, adminPort] = [await freePort(), await freePort()];
  const journal = join(folder, "journal");
  const { keys_list: keys, ...config } = venueTestConfig(changes);
  writeFileSync(join(folder, "keys.yaml"), JSON.stringify(keys), { mode: 0o600 });
  writeFileSync(
    join(folder, "venue.yaml"),
    JSON.stringify({ port, admin_port: adminPort, journal, keys_file: join(folder, "keys.yaml"), ...config }),
  );
  const admin = new VenueAdmin(adminPort);
  const server = await startServer({
    command: process.execPath,
    args: [bundle(COMMAND), "venue", "-c", join(folder, "venue.yaml")],
    port,
    folder,
    isReady: async () => (await admin.status()).time > 0,
  });
  return {
    server,
    admin,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    journal,
  };
}

/** `quantmesh venue` as a user runs it. */
export interface VenueCommand {
  /** All of stdout, once it has said this. */
  said(what: RegExp): Promise<string>;
  errors(): string;
  /** The exit code, once it has ended by itself. */
  ended(): Promise<number | null>;
  /** The exit code after `signal`. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** Runs it in `cwd`. */
export function runVenueCommand(args: readonly string[], cwd: string): VenueCommand {
  const child = spawn(process.execPath, [bundle(COMMAND), "venue", ...args], { cwd });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const closed = once(child, "close") as Promise<[number | null]>;
  const code = closed.then(([exitCode]) => exitCode);
  return {
    async said(what) {
      while (!what.test(output)) {
        const more = once(child.stdout, "data").then(() => true);
        const isOver = await Promise.race([more.catch(() => false), code.then(() => false)]);
        if (!isOver && !what.test(output))
          throw new Error(`it ended without saying ${what}: ${output}${errors}`);
      }
      return output;
    },
    errors: () => errors,
    ended: async () => code,
    stop: async (signal) => {
      child.kill(signal);
      return code;
    },
  };
}
