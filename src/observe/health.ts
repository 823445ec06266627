/** Whether the instance can work: every part that it uses answers its ping in time. */
import { redactText } from "./redact.ts";

const DEFAULT_LIMIT_MS = 5_000;

/** How one part answered its ping. */
export type PartHealth =
  | { readonly ok: true; readonly latencyMs: number }
  | { readonly ok: false; readonly latencyMs: number; readonly error: string };

export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<string, PartHealth>>;
}

export interface Health {
  /** Asks every part at once; ends within the limit. Calls at the same time share one answer. */
  ready(): Promise<Readiness>;
}

export type Ping = () => Promise<void>;

/** Health of `parts`, named pings asked for anew each time; a part that is silent for `limitMs` is not ok. */
export function createHealth(
  parts: () => ReadonlyMap<string, Ping>,
  { limitMs = DEFAULT_LIMIT_MS }: { readonly limitMs?: number } = {},
): Health {
  // Shared, so that a poller cannot pile up pings on a part that hangs.
  let running: Promise<Readiness> | undefined;
  return {
    ready() {
      running ??= askAll(parts, limitMs).finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}

async function askAll(parts: () => ReadonlyMap<string, Ping>, limitMs: number): Promise<Readiness> {
  const answers = await Promise.all(
    Array.from(parts(), async ([name, ping]) => [name, await ask(ping, limitMs)] as const),
  );
  // Without parts nothing is there yet that could work.
  return {
    ready: answers.length > 0 && answers.every(([, { ok }]) => ok),
    parts: Object.fromEntries(answers),
  };
}

async function ask(ping: Ping, limitMs: number): Promise<PartHealth> {
  const started = performance.now();
  const latencyMs = (): number => Math.round(performance.now() - started);
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([ping(), silence]);
    return { ok: true, latencyMs: latencyMs() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, latencyMs: latencyMs(), error: redactText(reason) };
  } finally {
    clearTimeout(timer);
  }
}
