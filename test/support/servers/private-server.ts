/** A real server as a test's own private process: free port, data in a temporary folder, nothing left behind. */
import type { ChildProcess } from "node:child_process";
import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { accessSync, chownSync, constants, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "vitest";
import { signalTo } from "../processes.ts";

/** The server programs that the tests start, and the folders beside PATH in which distributions put them. */
const PROGRAMS = {
  postgres: ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"],
  mariadbd: ["/usr/sbin", "/usr/libexec"],
  "redis-server": ["/usr/bin", "/usr/local/bin"],
  etcd: ["/usr/bin", "/usr/local/bin"],
} as const;

export type ServerProgram = keyof typeof PROGRAMS;

export interface PrivateServer {
  readonly port: number;
  /** The folder of its data; removed by `stop`. */
  readonly folder: string;
  readonly pid: number;
  /** Signals it with all that it started; after SIGSTOP it stands still once this returns. */
  signal(name: NodeJS.Signals): void;
  /** Kills it as a crash would and waits for its end; its data stays. */
  crash(): Promise<void>;
  /** Starts it again on the same data and port after `crash`. */
  restart(): Promise<void>;
  /** Ends it, whatever its state, and removes its data. */
  stop(): Promise<void>;
}

export interface ServerPlan {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly folder: string;
  /** Runs as this user where the tests run as root and the server refuses to. */
  readonly user?: string;
  /** True (or resolved) once it answers; asked again each 25 ms until 30 s have passed. */
  readonly isReady: () => Promise<boolean>;
}

/** The path of a server program, or undefined where it is not installed. */
export function findProgram(program: ServerProgram): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...PROGRAMS[program]];
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A suite that needs server programs: in CI a missing one fails it, elsewhere the suite is skipped and named. */
export function describeWithServers(
  programs: readonly ServerProgram[],
  title: string,
  suite: () => void,
): void {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) {
    describe(title, suite);
  } else if (process.env["CI"] === "true") {
    describe(title, () => {
      it(`needs ${missing.join(", ")}`, () => {
        throw new Error(`${missing.join(", ")} is not installed: npm run services:install`);
      });
    });
  } else {
    describe.skip(`${title} (needs ${missing.join(", ")}: npm run services:install)`, suite);
  }
}

/** Below those that connections take for themselves, and below the default ports of our own. */
const LOWEST_PORT = 12_000;
const HIGHEST_PORT = 27_000;
/**
 * Test files that run at the same time take their ports apart: a port may be free while its server is down. The workers
 * of a run have one parent, and another run has another one.
 */
const LANES = 15;
const LANE_SIZE = (HIGHEST_PORT - LOWEST_PORT) / LANES;
const lane = LOWEST_PORT + LANE_SIZE * ((process.ppid + Number(process.env["VITEST_POOL_ID"] ?? 0)) % LANES);
const given = new Set<number>();

/** A port that nobody listens on, and that was not given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lane, lane + LANE_SIZE);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/** An empty temporary folder, owned by `user` where the tests run as root. */
export function serverFolder(name: string, user?: string): string {
  const folder = mkdtempSync(join(tmpdir(), `quantmesh-${name}-`));
  if (user !== undefined && isRoot()) chownSync(folder, idOf(user, "-u"), idOf(user, "-g"));
  return folder;
}

/** The `uid` and `gid` under which a child runs; nothing where the tests are not run by root. */
export function runAs(user: string | undefined): { uid?: number; gid?: number } {
  return user === undefined || !isRoot() ? {} : { uid: idOf(user, "-u"), gid: idOf(user, "-g") };
}

/** Starts a server and waits until it answers. Throws with the end of its output where it does not. */
export async function startServer(plan: ServerPlan): Promise<PrivateServer> {
  let child = await launch(plan);
  const end = async (name: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    // A frozen process dies of SIGKILL only once it may run.
    child.kill(name);
    child.kill("SIGCONT");
    await ended;
  };
  return {
    port: plan.port,
    folder: plan.folder,
    get pid() {
      return child.pid ?? -1;
    },
    signal: (name) => {
      if (child.pid !== undefined) signalTo(child.pid, name);
    },
    crash: () => end("SIGKILL"),
    restart: async () => {
      await end("SIGKILL");
      child = await launch(plan);
    },
    stop: async () => {
      await end("SIGKILL");
      rmSync(plan.folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function launch(plan: ServerPlan): Promise<ChildProcess> {
  const child = spawn(plan.command, plan.args, {
    cwd: plan.folder,
    stdio: ["ignore", "pipe", "pipe"],
    ...runAs(plan.user),
  });
  // A killed test run must not leave servers behind.
  const killOnExit = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", killOnExit);
  child.once("exit", () => process.off("exit", killOnExit));
  let said = "";
  const keep = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-4000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const until = performance.now() + 30_000;
  while (performance.now() < until) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${plan.command} ended at once:\n${said}`);
    }
    if (await plan.isReady().catch(() => false)) return child;
    await delay(25);
  }
  child.kill("SIGKILL");
  throw new Error(`${plan.command} did not answer within 30 s:\n${said}`);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function idOf(user: string, flag: "-u" | "-g"): number {
  return Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
}
