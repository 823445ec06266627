/** Processes that a test started: what they started in turn, and signals that have struck once the call returns. */
import { readdirSync, readFileSync } from "node:fs";

const STOP_LIMIT_MS = 5_000;

/** The processes that `parent` started and that still run. */
export function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const fields = statOf(`/proc/${pid}/stat`);
      return fields !== undefined && Number(fields[1]) === parent && fields[0] !== "Z";
    });
}

/**
 * Signals a process, if it is still there. After SIGSTOP it returns once every thread of it stands still: until then a
 * server may go on answering for some milliseconds. Throws where that takes longer than 5 s.
 */
export function signalTo(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended by itself meanwhile.
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return;
    throw error;
  }
  if (name !== "SIGSTOP") return;
  const until = performance.now() + STOP_LIMIT_MS;
  while (!standsStill(pid)) {
    if (performance.now() > until) throw new Error(`process ${pid} did not stop within ${STOP_LIMIT_MS} ms`);
  }
}

function standsStill(pid: number): boolean {
  return threadsOf(pid).every((thread) => {
    const state = statOf(`/proc/${pid}/task/${thread}/stat`)?.[0];
    return state === undefined || "TtZX".includes(state);
  });
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The fields of a stat file from the state on, `pid (name) state parent …`; undefined once the process is gone. */
function statOf(path: string): readonly string[] | undefined {
  try {
    return readFileSync(path, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return undefined;
  }
}
