/** Freezes a server that has processes of its own: to whoever waits for an answer it is neither there nor gone. */
import { readFileSync } from "node:fs";
import type { PrivateServer } from "./servers/private-server.ts";

/** Freezes the server with all that it started; returns what lets them go on. */
export function freeze(server: PrivateServer): () => void {
  // The parent first: it starts no child any more.
  server.signal("SIGSTOP");
  const children = childrenOf(server.pid);
  for (const pid of children) signalTo(pid, "SIGSTOP");
  return () => {
    for (const pid of children) signalTo(pid, "SIGCONT");
    server.signal("SIGCONT");
  };
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function signalTo(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended by itself meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
