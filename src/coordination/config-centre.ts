/** The fleet's config in etcd: numbered versions, written by compare-and-swap, kept, and handed on without a gap. */
import { QuantmeshError } from "../domain/errors.ts";
import type { KeyStore } from "./key-store.ts";

export interface ConfigVersion {
  /** From 1, without gaps. */
  readonly version: number;
  /** ms since 1970. */
  readonly at: number;
  /** Who wrote it. */
  readonly by: string;
  /** The shared part of the config, as text values, as in a file. */
  readonly shared: Readonly<Record<string, unknown>>;
}

/** How many versions are kept. */
const KEPT = 200;
const DIGITS = 8;
const RETRY_MS = 500;

export class ConfigCentre {
  readonly #store: KeyStore;
  readonly #prefix: string;

  constructor(store: KeyStore, fleet: string) {
    this.#store = store;
    // Beside the fleet's own keys, which every instance keeps in memory.
    this.#prefix = `/quantmesh-config/${fleet}/`;
  }

  /** Every kept version, oldest first. Throws COORDINATION_UNAVAILABLE. */
  async history(): Promise<readonly ConfigVersion[]> {
    return (await this.#list()).versions;
  }

  /** The newest version; undefined where the fleet has no config yet. */
  async current(): Promise<ConfigVersion | undefined> {
    return (await this.history()).at(-1);
  }

  /**
   * Stores the version after `seen`, the one that `shared` was made from (0: the first of all). False where somebody else
   * has stored it meanwhile.
   */
  async write(seen: number, shared: ConfigVersion["shared"], by: string, at: number): Promise<boolean> {
    const next: ConfigVersion = { version: seen + 1, at, by, shared };
    const key = this.#key(next.version);
    const revision = await this.#store.write(
      [{ key, revision: 0 }],
      [
        { kind: "put", key, value: JSON.stringify(next) },
        ...(next.version > KEPT ? [{ kind: "delete" as const, key: this.#key(next.version - KEPT) }] : []),
      ],
    );
    return revision !== undefined;
  }

  /** Hands on each version after `seen`, once and in order, until `signal` is aborted; goes on after every interruption. */
  async watch(
    seen: number,
    listen: (version: ConfigVersion) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let last = seen;
    while (!signal.aborted) {
      const round = new AbortController();
      const stop = (): void => round.abort();
      signal.addEventListener("abort", stop, { once: true });
      try {
        const { versions, revision } = await this.#list();
        for (const version of versions.filter((one) => one.version > last)) {
          await listen(version);
          last = version.version;
        }
        // What happens from here on is listed again: a watch may lose or repeat events, a listing does not.
        await this.#store.watch(this.#prefix, revision + 1, stop, round.signal);
      } catch (error) {
        if (!(error instanceof QuantmeshError) || error.code !== "COORDINATION_UNAVAILABLE") throw error;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, RETRY_MS);
          signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
        });
      } finally {
        signal.removeEventListener("abort", stop);
      }
    }
  }

  async #list(): Promise<{ readonly versions: readonly ConfigVersion[]; readonly revision: number }> {
    const { entries, revision } = await this.#store.list(this.#prefix);
    return { versions: entries.map(({ value }) => JSON.parse(value) as ConfigVersion), revision };
  }

  #key(version: number): string {
    return `${this.#prefix}${String(version).padStart(DIGITS, "0")}`;
  }
}
