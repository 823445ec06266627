/** Puts something between a bot and single methods of a port: faults, delays, notes. */

/** The port with `replaced` methods; everything else is the real one's. */
export function override<Port extends object>(real: Port, replaced: Partial<Port>): Port {
  return new Proxy(real, {
    get(target, name): unknown {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      // Bound, because private fields know only the real one.
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** True at every `nth` call, `most` times; `count` says how often it was. */
export function everyNth(nth: number, most: number): { (): boolean; readonly count: number } {
  let calls = 0;
  let count = 0;
  const isDue = (): boolean => {
    calls += 1;
    if (count === most || calls % nth !== 0) return false;
    count += 1;
    return true;
  };
  return Object.defineProperty(isDue, "count", { get: () => count }) as ReturnType<typeof everyNth>;
}
