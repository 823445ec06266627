// Runs an instance like `quantmesh run`, but kills its own process at a named point.
// argv: config file. CRASH_AT="place:after:3" dies at the third answer of placeOrder; unset, it prints the counts.
import { loadConfig } from "../../dist/config/load-config.js";
import { startInstance } from "../../dist/cli/run-instance.js";

const target = process.env.CRASH_AT;
const hits = new Map();

function reach(point) {
  const count = (hits.get(point) ?? 0) + 1;
  hits.set(point, count);
  if (target === `${point}:${count}`) process.kill(process.pid, "SIGKILL");
}

/** Reaches `name.method:before` and `:after` around every call of a port. */
function pointed(name, port) {
  return new Proxy(port, {
    get(inner, property) {
      const value = Reflect.get(inner, property, inner);
      if (typeof value !== "function") return value;
      return (...args) => {
        const point = `${name}.${String(property)}`;
        reach(`${point}:before`);
        const result = value.apply(inner, args);
        if (!(result instanceof Promise)) return result;
        return result.then((answer) => {
          reach(`${point}:after`);
          return answer;
        });
      };
    },
  });
}

const quiet = {
  debug() {},
  info() {},
  warn() {},
  error(fields, event) {
    process.stderr.write(`${event} ${fields.error?.stack ?? JSON.stringify(fields)}\n`);
  },
  child: () => quiet,
};

const running = await startInstance(await loadConfig(process.argv[2]), quiet, {
  exchange: (exchange) => pointed("exchange", exchange),
  storage: (storage) => pointed("storage", storage),
  lock: (lock) => pointed("lock", lock),
});
process.stdout.write("started\n");
await running.run(new AbortController().signal);
await running.close("end of data");
process.stdout.write(`${JSON.stringify(Object.fromEntries(hits))}\n`);
