/** A progress bar with the time that is left, on standard error and only on a terminal. */
import { SingleBar } from "cli-progress";
import type { Progress } from "../storage/copy/copy-progress.ts";
import { NO_PROGRESS } from "../storage/copy/copy-progress.ts";

export function createProgressBar(): Progress {
  if (!process.stderr.isTTY) return NO_PROGRESS;
  let bar: SingleBar | undefined;
  return {
    begin: (what, total, unit) => {
      bar?.stop();
      bar = new SingleBar({
        format: `${what} {bar} {percentage} %  {value}/{total} ${unit}  ETA {eta_formatted}`,
        stream: process.stderr,
        etaBuffer: 50,
      });
      bar.start(total, 0);
    },
    add: (done) => bar?.increment(done),
    end: () => {
      bar?.stop();
      bar = undefined;
    },
  };
}
