/** Runs the real `quantmesh` command as a child process and reads what it says. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { signalTo } from "./processes.ts";

const BINARY = resolve("bin/quantmesh");
/** Of what takes a second or two on a machine that has nothing else to do. */
const LIMIT_MS = 120_000;

/** One JSON line of the log. */
export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly event: string;
}

export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Where it is started: relative paths of its config begin there. */
  readonly cwd: string;
}

const running = new Set<Command>();

/** A command that was started, and all that it has said so far. */
export class Command {
  /** Resolves when the process is gone and its output was read. */
  readonly ended: Promise<CommandEnd>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: LogLine[] = [];
  readonly #heard = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #rest = "";
  #end: CommandEnd | undefined;

  constructor(args: readonly string[], { cwd }: CommandOptions) {
    this.#child = spawn(process.execPath, [BINARY, ...args], { cwd });
    this.#child.stdin.end();
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    running.add(this);
    this.ended = new Promise((done) => {
      this.#child.once("close", (code, signal) => {
        running.delete(this);
        this.#end = { code, signal, stdout: this.#stdout, stderr: this.#stderr };
        this.#wake();
        done(this.#end);
      });
    });
  }

  /** The log lines so far; what is not JSON on a line of its own is none. */
  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The first log line that `matches`, said already or yet to come; throws when it did not come in time. */
  async line(matches: (line: LogLine) => boolean, limitMs = LIMIT_MS): Promise<LogLine> {
    return (await this.linesMatching(matches, 1, limitMs))[0] as LogLine;
  }

  /** The first `count` log lines that match. */
  async linesMatching(
    matches: (line: LogLine) => boolean,
    count: number,
    limitMs = LIMIT_MS,
  ): Promise<readonly LogLine[]> {
    const deadline = AbortSignal.timeout(limitMs);
    for (;;) {
      const found = this.#lines.filter(matches);
      if (found.length >= count) return found.slice(0, count);
      if (this.#end || deadline.aborted) {
        const why = this.#end ? "it ended" : `${limitMs} ms passed`;
        throw new Error(`${why} with ${found.length} of ${count} lines:\n${this.#stdout}${this.#stderr}`);
      }
      await this.#somethingNew(deadline);
    }
  }

  /** Resolves once it has said `text` on its standard output; throws when it did not in time. */
  async says(text: string, limitMs = LIMIT_MS): Promise<void> {
    const deadline = AbortSignal.timeout(limitMs);
    while (!this.#stdout.includes(text)) {
      if (this.#end || deadline.aborted)
        throw new Error(`it never said "${text}":\n${this.#stdout}${this.#stderr}`);
      await this.#somethingNew(deadline);
    }
  }

  /** Signals it, where it still runs; after SIGSTOP it stands still once this returns. */
  kill(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) signalTo(pid, signal);
  }

  /** Ctrl-C, and all that it said until it was gone. */
  async interrupt(): Promise<CommandEnd> {
    this.kill("SIGINT");
    return this.ended;
  }

  #read(text: string): void {
    this.#stdout += text;
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    this.#lines.push(...lines.filter((line) => line.startsWith('{"level"')).map(parseLine));
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#heard) wake();
    this.#heard.clear();
  }

  async #somethingNew(deadline: AbortSignal): Promise<void> {
    await new Promise<void>((wake) => {
      const stop = (): void => {
        deadline.removeEventListener("abort", stop);
        wake();
      };
      this.#heard.add(stop);
      deadline.addEventListener("abort", stop);
    });
  }
}

/** Starts the command and leaves it running. */
export function startCommand(args: readonly string[], options: CommandOptions): Command {
  return new Command(args, options);
}

/** Runs the command to its end; one that does not end by itself is killed after two minutes. */
export async function runCommand(args: readonly string[], options: CommandOptions): Promise<CommandEnd> {
  const command = startCommand(args, options);
  const timer = setTimeout(() => command.kill("SIGKILL"), LIMIT_MS);
  try {
    return await command.ended;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends whatever a failed test left running. */
export async function endCommands(): Promise<void> {
  const left = [...running];
  for (const command of left) command.kill("SIGKILL");
  await Promise.all(left.map(({ ended }) => ended));
}

function parseLine(line: string): LogLine {
  return JSON.parse(line) as LogLine;
}
