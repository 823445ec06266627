/** `quantmesh run`: one instance until Ctrl-C or the end of a replay; live status on a terminal, JSON lines elsewhere. */
import type { Config } from "../config/schema.ts";
import type { Log } from "../domain/log.ts";
import { createLog } from "../observe/log.ts";
import { loadRunConfig } from "./fleet-config.ts";
import { LiveStatus } from "./live-status.ts";
import { startInstance } from "./run-instance.ts";
import { formatSummaries, summarizeBot } from "./summary.ts";

export async function runCommand(
  file: string,
  { standby = false }: { readonly standby?: boolean } = {},
): Promise<void> {
  const env = standby ? { ...process.env, STANDBY_MODE: "true" } : process.env;
  const isTerminal = process.stdout.isTTY;
  const status = isTerminal ? new LiveStatus(process.stdout) : undefined;
  const logOf = ({ system }: Config): Log =>
    createLog({ level: system.log_level, ...(status ? { stream: status } : {}) });
  const loaded = await loadRunConfig(file, env, { publishes: true, logOf });
  const { config, warnings } = loaded;
  const log = logOf(config);
  for (const warning of warnings) log.warn({ warning }, "config.warning");
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    // A second signal does not wait: the state is durable anyway.
    if (stopping.signal.aborted) process.exit(130);
    log.info({ signal }, "instance.stopping");
    stopping.abort(signal);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    const running = await startInstance(config, log, {}, loaded, stopping.signal);
    status?.start(running);
    try {
      await running.run(stopping.signal);
    } finally {
      status?.stop();
      await running.close(stopping.signal.aborted ? "signal" : "end of data");
      const summaries = running.instance.statuses().map(summarizeBot);
      for (const summary of summaries) log.info({ ...summary }, "bot.stopped");
      log.info({}, "instance.stopped");
      if (isTerminal) process.stdout.write(`${formatSummaries(summaries)}\n`);
    }
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}
