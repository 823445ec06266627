/** The keys of the Go project of the same name that this one does not read: the answer to each of them. */

/**
 * `ignored`: the key changes nothing here, and is warned about. `refused`: it would change what is traded, or who is
 * told of it; warned about where it is off. `misnamed`: no key of that project either.
 */
export interface Answer {
  readonly effect: "ignored" | "refused" | "misnamed";
  readonly reason: string;
  /** The answer holds for these values only. */
  readonly when?: (value: unknown) => boolean;
  /** Values of a refused key that change nothing. */
  readonly harmless?: (value: unknown) => boolean;
}

/** By path; `[]` is any position of a list, `*` any name. A section's answer is the answer to all below it. */
export const ORIGINAL_KEYS: Readonly<Record<string, Answer>> = {
  "exchanges.sim.api_key": ignored("the simulated market has no keys"),
  "exchanges.sim.secret_key": ignored("the simulated market has no keys"),
  "exchanges.sim.passphrase": ignored("the simulated market has no keys"),
  "exchanges.sim.testnet": ignored("the simulated market is a test by itself"),
  "exchanges.sim.leverage": refused(
    "the simulated market is a spot market, without leverage",
    (value) => value === "1",
  ),

  ...perSymbolAndForAll({
    cleanup_batch_size: ignored("an order that leaves the grid is cancelled at once, not in batches"),
    position_safety_check: ignored(
      "it is not checked how many orders the account can pay for; where funds are short, buying pauses for margin_lock_duration_seconds",
    ),
    margin_lock_duration: misnamed('the key is "margin_lock_duration_seconds"'),
    window_size: misnamed('the keys are "buy_window_size" and "sell_window_size"'),
    grid_risk_control: refused("give the symbol stop_loss and take_profit, which are prices"),
    dynamic_adjustment: refused(
      "a grid keeps its prices and sizes; set price_interval and the windows yourself",
    ),
    smart_position: refused(
      "a window follows the price alone; set buy_window_size and sell_window_size yourself",
    ),
    total_allocated_capital: refused("size a range grid by investment, a window by order_quantity"),
    strategies: refused("each symbol has one grid and nothing beside it"),
    withdrawal_policy: refused("profits stay in the account"),
  }),
  "trading.symbols[].reconcile_interval": refused(
    "all symbols are compared with the exchange's lists together; set trading.reconcile_interval",
  ),

  "system.timezone": ignored("all times are in UTC"),
  "system.log_language": ignored("the log is in English"),
  "system.log_retention_days": ignored("the log goes to stdout; keep it there for as long as you need it"),

  "database.log_level": ignored("the database has no log of its own; see system.log_level"),
  storage: ignored(
    "every order and fill is stored before it counts; where is set by database.type and database.dsn",
  ),
  "storage.type": misnamed('write "type" under database', (value) => value === "database"),

  risk_control: refused("other symbols are not watched; stop_loss and take_profit guard each grid"),
  position_allocation: refused("each grid is as large as its own sizes say"),
  strategies: refused("each symbol has one grid, under trading.symbols"),
  plugins: refused("there are no plugins"),
  ai: refused("no model decides over a grid"),
  "ai.modules.*": misnamed("a module is a section with enabled in it", (value) => typeof value === "string"),

  notifications: refused("watch the log and /metrics; nobody is written to"),
  "notifications.email.to": misnamed("it is one address, not a list", Array.isArray),
  "notifications.email.smtp_host": misnamed('write "host" under notifications.email.smtp'),
  "notifications.email.smtp_port": misnamed('write "port" under notifications.email.smtp'),
  "notifications.email.smtp_user": misnamed('write "username" under notifications.email.smtp'),
  "notifications.email.smtp_username": misnamed('write "username" under notifications.email.smtp'),
  "notifications.email.smtp_password": misnamed('write "password" under notifications.email.smtp'),

  timing: ignored(
    "prices and answers are handled as they arrive; lists are compared every trading.reconcile_interval",
  ),
  backtest: ignored("back-tests have a command of their own: quantmesh backtest"),
  metrics: ignored("metrics are always collected, see web"),
  watchdog: ignored("memory and processor time are among /metrics"),
  "watchdog.sampling_interval": misnamed('write "interval" under watchdog.sampling'),
  "watchdog.retention_days": misnamed('write "detail_days" and "daily_days" under watchdog.retention'),
  event_center: ignored("every event is logged and kept"),
  basis_monitor: ignored("there is no second market to compare prices with"),
  "web.api_key": ignored(
    "the web server asks for no key; leave web.host at 127.0.0.1, or put a proxy before it",
  ),
  "web.pprof": ignored("start it with node --cpu-prof or --inspect instead"),
};

/** True where a section says `enabled: false`. */
export function isOff(section: unknown): boolean {
  if (typeof section !== "object" || section === null || !("enabled" in section)) return false;
  return /^(false|no|off|n)$/i.test(String(section.enabled));
}

function ignored(reason: string, when?: Answer["when"]): Answer {
  return { effect: "ignored", reason, ...(when ? { when } : {}) };
}

function refused(reason: string, harmless: Answer["harmless"] = isOff): Answer {
  return { effect: "refused", reason, harmless };
}

function misnamed(reason: string, when?: Answer["when"]): Answer {
  return { effect: "misnamed", reason, ...(when ? { when } : {}) };
}

function perSymbolAndForAll(answers: Readonly<Record<string, Answer>>): Readonly<Record<string, Answer>> {
  return Object.fromEntries(
    Object.entries(answers).flatMap(([key, answer]) => [
      [`trading.${key}`, answer],
      [`trading.symbols[].${key}`, answer],
    ]),
  );
}
