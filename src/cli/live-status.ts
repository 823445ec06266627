/** The live view on a terminal: what a start waits for, then price, orders around it, last events, profit, repainted in place. */
import { slotName } from "../domain/ids.ts";
import { formatPrice, formatQuantity } from "../domain/instrument.ts";
import type { WorkingOrder } from "../domain/order.ts";
import type { BotStatus } from "../runner/bot-runner.ts";
import type { RunningInstance } from "./run-instance.ts";
import { summarizeBot } from "./summary.ts";

/** The log's event of a start that asks etcd again, with `leftMs`. */
const START_DELAYED = "coordination.start_delayed";
const REPAINT_MS = 250;
const ORDERS_AROUND = 4;
const LINES_KEPT = 10;
const BOLD = "\u001b[1m";
const DIM = "\u001b[2m";
const GREEN = "\u001b[32m";
const RED = "\u001b[31m";
const PLAIN = "\u001b[0m";
const HOME_AND_CLEAR = "\u001b[H\u001b[J";
const OTHER_SCREEN = "\u001b[?1049h\u001b[?25l";
const OWN_SCREEN = "\u001b[?25h\u001b[?1049l";

/** A terminal; one that does not tell its height has none, or 0. */
type Screen = Pick<NodeJS.WriteStream, "write"> & { readonly rows?: number | undefined };

export class LiveStatus {
  readonly #out: Screen;
  readonly #events: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** How much longer the start may wait, as it was said last, ms. */
  #waitsMs = 0;

  constructor(out: Screen) {
    this.#out = out;
  }

  /** Takes the log's JSON lines: fills, trades and warnings are shown below the orders. */
  write(line: string): void {
    const { time, level, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const shown = ["side", "slot", "price", "quantity", "profit", "reason", "message"]
      .filter((name) => fields[name] !== undefined)
      .map((name) => `${name} ${name === "slot" ? slotName(Number(fields[name])) : String(fields[name])}`);
    const clock = String(time).slice(11, 19);
    this.#events.push(
      `${clock}  ${level === "info" ? "" : `${RED}${String(level)}${PLAIN} `}${String(event)}  ${shown.join("  ")}`,
    );
    if (this.#events.length > LINES_KEPT) this.#events.shift();
    if (event === START_DELAYED) this.#sayWait(Number(fields["leftMs"]));
  }

  /** Before there is anything to paint; once for each step of the start, which waits anew. */
  #sayWait(leftMs: number): void {
    if (leftMs > this.#waitsMs) {
      const limit = `${Math.ceil(leftMs / 1000)} s more at most (coordination.start_limit)`;
      this.#out.write(`waiting for etcd, which does not answer: ${limit}; Ctrl-C ends it\n`);
    }
    this.#waitsMs = leftMs;
  }

  start(running: RunningInstance): void {
    this.#out.write(OTHER_SCREEN);
    const paint = (): void => void this.#out.write(HOME_AND_CLEAR + this.#render(running));
    paint();
    this.#timer = setInterval(paint, REPAINT_MS);
  }

  stop(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#out.write(OWN_SCREEN);
  }

  #render(running: RunningInstance): string {
    const { position, total } = running.market.progress();
    const replayed = total === undefined ? "" : `  replay ${((100 * position) / total).toFixed(1)} %`;
    const where = running.url === undefined ? "" : `  ${running.url}/metrics`;
    const bots = [
      `${BOLD}quantmesh${PLAIN}${replayed}${DIM}${where}  Ctrl-C stops; resting orders stay${PLAIN}`,
      ...running.instance.statuses().flatMap(renderBot),
      "",
    ];
    // A line too many would push the first one out at the top; the cursor stands on one of its own.
    const { rows = 0 } = this.#out;
    const room = rows > 0 ? Math.max(0, rows - bots.length - 1) : LINES_KEPT;
    const lines = [...bots, ...this.#events.slice(Math.max(0, this.#events.length - room))];
    return lines.map((line) => `${line}\n`).join("");
  }
}

function renderBot(status: BotStatus): readonly string[] {
  const { bot, working, price } = status;
  const text = summarizeBot(status);
  const line = ({ terms }: WorkingOrder, color: string): string =>
    `  ${color}${terms.side.padEnd(4)}${PLAIN} ${formatPrice(bot.instrument, terms.price).padStart(14)}` +
    `  ${formatQuantity(bot.instrument, terms.quantity)}`;
  const sells = working
    .filter(({ terms }) => terms.side === "sell")
    .sort((a, b) => a.terms.price - b.terms.price);
  const buys = working
    .filter(({ terms }) => terms.side === "buy")
    .sort((a, b) => b.terms.price - a.terms.price);
  return [
    "",
    `${BOLD}${text.symbol}${PLAIN}  ${text.mode}  position ${text.position} ${bot.instrument.base}` +
      `  fills ${text.fills}  trades ${text.trades}`,
    `  grid profit ${text.gridProfit}  inventory ${text.inventoryPnl}  unrealized ${text.unrealizedPnl}`,
    `  total ${BOLD}${text.totalPnl}${PLAIN} ${bot.instrument.quote}  fees ${text.fees}`,
    ...sells
      .slice(0, ORDERS_AROUND)
      .reverse()
      .map((order) => line(order, RED)),
    `  ${BOLD}     ${formatPrice(bot.instrument, price).padStart(14)}${PLAIN}  ← price  (${text.openSells} sells above, ${text.openBuys} buys below)`,
    ...buys.slice(0, ORDERS_AROUND).map((order) => line(order, GREEN)),
    ...moneyLines(status.state),
    ...conflictLines(status.conflicts),
  ];
}

function moneyLines({ fundsLockedUntil, priceAt }: BotStatus["state"]): readonly string[] {
  return fundsLockedUntil > priceAt ? [`  ${RED}buys wait for money in the account${PLAIN}`] : [];
}

/** Levels that another fleet on the account has locked. */
function conflictLines(prices: readonly string[]): readonly string[] {
  if (prices.length === 0) return [];
  const more = prices.length > ORDERS_AROUND ? ` and ${prices.length - ORDERS_AROUND} more` : "";
  return [`  ${RED}locked by another fleet: ${prices.slice(0, ORDERS_AROUND).join(", ")}${more}${PLAIN}`];
}
