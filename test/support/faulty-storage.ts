/** A database that is away now and then: refuses everything for a while, or loses the answer of what it has stored. */
import { QuantmeshError } from "../../src/domain/errors.ts";
import type { Storage } from "../../src/storage/storage.ts";

export interface Outages {
  readonly storage: Storage;
  /** Outages that began with a write that was stored nevertheless. */
  readonly cut: number;
  /** Outages that began with a call that did nothing. */
  readonly refused: number;
  /** From here on it answers. */
  heal(): void;
}

const MOST_CALLS = 8;
const WRITES = ["commit", "insertIntent", "saveFillCursor", "deliverFills", "claim"];

/** `rate`: of calls that begin an outage, which lasts for some calls; `random` decides. */
export function withOutages(real: Storage, random: () => number, rate: number): Outages {
  let left = 0;
  let isHealed = false;
  const counts = { cut: 0, refused: 0 };
  const gone = (name: string): QuantmeshError =>
    new QuantmeshError("STORAGE_UNAVAILABLE", `${name}: the database is away`);
  const storage = new Proxy(real, {
    get(target, property): unknown {
      const value: unknown = Reflect.get(target, property, target);
      const name = String(property);
      if (typeof value !== "function" || name === "close" || name === "fleetId") return value;
      return async (...args: unknown[]): Promise<unknown> => {
        if (isHealed) return Reflect.apply(value, target, args) as unknown;
        if (left > 0) {
          left -= 1;
          throw gone(name);
        }
        if (random() >= rate) return Reflect.apply(value, target, args) as unknown;
        left = Math.floor(random() * MOST_CALLS);
        const isStored = WRITES.includes(name) && random() < 0.5;
        if (isStored) await (Reflect.apply(value, target, args) as Promise<unknown>);
        counts[isStored ? "cut" : "refused"] += 1;
        throw gone(name);
      };
    },
  });
  return {
    storage,
    get cut() {
      return counts.cut;
    },
    get refused() {
      return counts.refused;
    },
    heal: () => {
      isHealed = true;
    },
  };
}
