/** Several instances, each a process, that want more of an exchange's limits than there is, and what the exchange says to that. */
import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { bundle } from "./bundle.ts";
import type { Done, Place, Sent, Task } from "./limit-instance.ts";
import type { VenueProcess } from "./venue-process.ts";

export interface LimitLab {
  /**
   * For so long: as many orders and lists as there is room for, and now and then a lookup. Orders and lookups alone do
   * not use up the weight that lists leave.
   */
  press(forMs: number): Promise<void>;
  /** The exchange's clock is so far ahead of the computer's now. */
  synchronize(clockOffset: number): Promise<void>;
  /** What was sent in each interval of the exchange, in its order; the first and the last one are not whole. */
  used(counts: "weight" | "orders", perMs: number): readonly number[];
  /** What the instances did not send because the limits had no room, by what it was. */
  heldBack(): Readonly<Record<string, number>>;
  /** Orders that a held-up process sent or had answered so late that no budget could know their interval. */
  late(): number;
  /** Refusals by the exchange's code. */
  refusals(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** `redisPort`: where the instances count together; each counts for itself without it. */
export async function openLimitLab(
  venue: VenueProcess,
  { instances, redisPort }: { readonly instances: number; readonly redisPort?: number },
): Promise<LimitLab> {
  const sent: Sent[] = [];
  const heldBack: Record<string, number> = {};
  let late = 0;
  const { url, wsUrl } = venue;
  const together = redisPort === undefined ? undefined : { instances, redisPort };
  const fleet = Array.from({ length: instances }, (_, index) => start({ url, wsUrl, index, together }));
  await Promise.all(fleet.map(answerOf));
  const all = async (task: Task): Promise<void> => {
    const answers = fleet.map(answerOf);
    for (const instance of fleet) instance.send(task);
    for (const done of (await Promise.all(answers)) as Done[]) {
      sent.push(...done.sent);
      late += done.late;
      for (const [what, count] of Object.entries(done.heldBack)) {
        heldBack[what] = (heldBack[what] ?? 0) + count;
      }
    }
  };
  return {
    press: async (forMs) => all({ kind: "press", forMs }),
    synchronize: async (clockOffset) => all({ kind: "synchronize", clockOffset }),
    used: (counts, perMs) => {
      const sums = new Map<number, number>();
      for (const one of sent) {
        const interval = Math.floor(one.at / perMs);
        sums.set(interval, (sums.get(interval) ?? 0) + one[counts]);
      }
      return [...sums.entries()].sort(([a], [b]) => a - b).map(([, sum]) => sum);
    },
    heldBack: () => heldBack,
    late: () => late,
    refusals: async () => (await venue.admin.status()).refusals,
    close: async () => {
      await Promise.all(fleet.map(end));
    },
  };
}

function start(place: Place): ChildProcess {
  return fork(bundle("test/support/limit-instance.ts"), [JSON.stringify(place)]);
}

/** The next that it says. */
async function answerOf(instance: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(instance, "exit", { signal }).then(([code]) => {
    throw new Error(`an instance ended with ${String(code)}`);
  });
  try {
    return await Promise.race([
      once(instance, "message", { signal }).then(([answer]) => answer as unknown),
      ended,
    ]);
  } finally {
    over.abort();
    ended.catch(() => undefined);
  }
}

async function end(instance: ChildProcess): Promise<void> {
  if (instance.exitCode !== null || instance.signalCode !== null) return;
  const ended = once(instance, "exit");
  const kill = setTimeout(() => instance.kill("SIGKILL"), 5_000);
  if (instance.connected) instance.disconnect();
  await ended;
  clearTimeout(kill);
}
