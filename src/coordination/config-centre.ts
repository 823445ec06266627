/** The fleet's config in etcd: numbered versions, written by compare-and-swap, kept, and how the newest is rolled out. */
import { policyFor } from "../domain/errors.ts";
import type { KeyEntry, KeyStore } from "./key-store.ts";
import type { RollOut, RollOutPlan } from "./roll-out.ts";
import { readRollOut } from "./roll-out.ts";

export interface ConfigVersion {
  /** From 1, without gaps. */
  readonly version: number;
  /** ms since 1970. */
  readonly at: number;
  /** Who wrote it. */
  readonly by: string;
  /** The shared part of the config, as text values, as in a file. */
  readonly shared: Readonly<Record<string, unknown>>;
  /** Of one that takes others back: whose content it has, and why. */
  readonly rollBack?: { readonly to: number; readonly reason: string };
}

/** All that is stored, as of one moment. */
export interface CentreState {
  /** Every kept version, oldest first. */
  readonly versions: readonly ConfigVersion[];
  /** The last one, also when it has ended. */
  readonly rollOut: RollOut | undefined;
  /** The store's revision of the roll-out, for compare-and-swap; 0 while there was none. */
  readonly rollOutRevision: number;
}

/** What a new version is made of. */
export type NewVersion = Omit<ConfigVersion, "version">;

/** Why, and by whom, a version is given up for one of before. */
export interface RollBack {
  /** The version whose content comes back. */
  readonly to: ConfigVersion;
  readonly by: string;
  readonly at: number;
  readonly reason: string;
}

/** How many versions are kept. */
const KEPT = 200;
const DIGITS = 8;
const RETRY_MS = 500;
/** How often a follower lists beside its watch: every kept version is read. */
const LIST_MS = 10_000;
const ROLL_OUT = "roll-out";

export class ConfigCentre {
  readonly #store: KeyStore;
  readonly #prefix: string;
  readonly #listIntervalMs: number;

  constructor(store: KeyStore, fleet: string, listIntervalMs = LIST_MS) {
    this.#store = store;
    this.#listIntervalMs = listIntervalMs;
    // Beside the fleet's own keys, which every instance keeps in memory.
    this.#prefix = `/quantmesh-config/${fleet}/`;
  }

  /** Throws COORDINATION_UNAVAILABLE, as all of this. */
  async state(): Promise<CentreState> {
    return (await this.#list()).state;
  }

  /** Every kept version, oldest first. */
  async history(): Promise<readonly ConfigVersion[]> {
    return (await this.state()).versions;
  }

  /** The newest version; undefined where the fleet has no config yet. */
  async current(): Promise<ConfigVersion | undefined> {
    return (await this.history()).at(-1);
  }

  /**
   * Stores the version after the newest that was `seen`, and with it how it is rolled out. False where somebody else has
   * stored a version or decided about a roll-out meanwhile.
   */
  async write(seen: CentreState, next: NewVersion, plan?: RollOutPlan): Promise<boolean> {
    const base = seen.versions.at(-1)?.version ?? 0;
    const rollOut = plan && { ...plan, version: base + 1, base, state: { kind: "canary" as const } };
    return this.#write(seen, next, rollOut);
  }

  async #write(seen: CentreState, next: NewVersion, rollOut: RollOut | undefined): Promise<boolean> {
    const version = (seen.versions.at(-1)?.version ?? 0) + 1;
    const key = this.#key(version);
    const revision = await this.#store.write(
      [
        { key, revision: 0 },
        { key: this.#rollOutKey, revision: seen.rollOutRevision },
      ],
      [
        { kind: "put", key, value: JSON.stringify({ version, ...next }) },
        ...(rollOut ? [{ kind: "put" as const, key: this.#rollOutKey, value: JSON.stringify(rollOut) }] : []),
        ...(version > KEPT ? [{ kind: "delete" as const, key: this.#key(version - KEPT) }] : []),
      ],
    );
    return revision !== undefined;
  }

  /** Gives the version of a canary to all bots. False where something else was decided meanwhile, or there is no canary. */
  async promote(seen: CentreState, by: string): Promise<boolean> {
    const { rollOutRevision } = seen;
    const rollOut = inForce(seen)?.canary?.rollOut;
    if (!rollOut) return false;
    const decided: RollOut = { ...rollOut, state: { kind: "whole", by } };
    const key = this.#rollOutKey;
    const write = { kind: "put" as const, key, value: JSON.stringify(decided) };
    return (await this.#store.write([{ key, revision: rollOutRevision }], [write])) !== undefined;
  }

  /** Stores the content of before as a new version; a canary ends with it. False where something else came first. */
  async rollBack(seen: CentreState, { to, by, at, reason }: RollBack): Promise<boolean> {
    const newest = seen.versions.at(-1);
    if (!newest) return false;
    const { rollOut } = seen;
    const as = newest.version + 1;
    const ended: RollOut | undefined =
      rollOut?.state.kind === "canary"
        ? { ...rollOut, state: { kind: "rolledBack", as, by, reason } }
        : undefined;
    return this.#write(seen, { at, by, shared: to.shared, rollBack: { to: to.version, reason } }, ended);
  }

  /** Hands on each version after `seen`, once and in order, until `signal` is aborted. */
  async watch(
    seen: number,
    listen: (version: ConfigVersion) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let last = seen;
    await this.follow(async ({ versions }) => {
      for (const version of versions.filter((one) => one.version > last)) {
        await listen(version);
        last = version.version;
      }
    }, signal);
  }

  /**
   * Hands on what is stored, now, after each change and at intervals, until `signal` is aborted; goes on after every
   * interruption, also of `listen`. What changes while `listen` is at work is handed on together.
   */
  async follow(listen: (state: CentreState) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const round = new AbortController();
      const stop = (): void => round.abort();
      signal.addEventListener("abort", stop, { once: true });
      let listAgain: NodeJS.Timeout | undefined;
      try {
        const { state, revision } = await this.#list();
        await listen(state);
        // What happens from here on is listed again: a watch may lose or repeat events, a listing does not. It may also
        // fall silent: after a restore of etcd it waits for a revision that is far away.
        listAgain = setTimeout(stop, this.#listIntervalMs);
        await this.#store.watch(this.#prefix, revision + 1, stop, round.signal);
      } catch (error) {
        const policy = policyFor(error);
        if (policy !== "backOff" && policy !== "stopSending") throw error;
        await pause(signal);
      } finally {
        clearTimeout(listAgain);
        signal.removeEventListener("abort", stop);
      }
    }
  }

  async #list(): Promise<{ readonly state: CentreState; readonly revision: number }> {
    const { entries, revision } = await this.#store.list(this.#prefix);
    const isRollOut = ({ key }: KeyEntry): boolean => key === this.#rollOutKey;
    const found = entries.find(isRollOut);
    const versions = entries
      .filter((entry) => !isRollOut(entry))
      .map(({ value }) => JSON.parse(value) as ConfigVersion);
    const rollOut = found && readRollOut(found.value);
    return { state: { versions, rollOut, rollOutRevision: found?.revision ?? 0 }, revision };
  }

  get #rollOutKey(): string {
    return `${this.#prefix}${ROLL_OUT}`;
  }

  #key(version: number): string {
    return `${this.#prefix}${String(version).padStart(DIGITS, "0")}`;
  }
}

/** What the bots run: `whole` all of them, but those of the canary, which run `canary`. */
export interface InForce {
  readonly whole: ConfigVersion;
  readonly canary: { readonly version: ConfigVersion; readonly rollOut: RollOut } | undefined;
}

/** What is in force; undefined where the fleet has no config yet. */
export function inForce({ versions, rollOut }: CentreState): InForce | undefined {
  const newest = versions.at(-1);
  if (!newest) return undefined;
  const base = versions.find(({ version }) => version === rollOut?.base);
  if (rollOut?.state.kind !== "canary" || rollOut.version !== newest.version || !base)
    return { whole: newest, canary: undefined };
  return { whole: base, canary: { version: newest, rollOut } };
}

/** Waits before the next try; ends early when `signal` is aborted. */
async function pause(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, RETRY_MS);
    signal.addEventListener("abort", finish);
  });
}
