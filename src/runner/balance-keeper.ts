/** Keeps what the database knows of an account's money up to date, and says what an order must set aside of it. */
import type { Money } from "../domain/amounts.ts";
import { ZERO_MONEY, addMoney, formatMoney, money } from "../domain/amounts.ts";
import type { Clock } from "../domain/clock.ts";
import { ONE, divideDown } from "../domain/decimal.ts";
import type { Bot } from "../domain/grid.ts";
import { notional } from "../domain/instrument.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { OrderTerms } from "../domain/order.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { AccountKey, Storage } from "../storage/storage.ts";

export interface BalanceKeeperOptions {
  readonly exchange: Exchange;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The share of a balance that nobody spends: fees, and prices that move, 1e-18. */
  readonly margin: bigint;
  readonly refreshMs: number;
}

/** An account that cannot pay for an order is asked again no sooner, whoever wants to buy. */
const SHORT_PAUSE_MS = 1_000;
/** Where money is short, the exchange is asked whether there is more by now, but no more often. */
const SHORT_REFRESH_MS = 5_000;

export class BalanceKeeper {
  readonly #options: BalanceKeeperOptions;
  /** What bots of this instance buy with. */
  readonly #watched = new Map<string, Promise<void>>();
  /** By asset: the least that was refused, and until when that is remembered (monotonic). */
  readonly #short = new Map<string, { readonly amount: Money; readonly until: number }>();
  #reading: Promise<void> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(options: BalanceKeeperOptions) {
    this.#options = options;
  }

  /**
   * Before a bot trades: what the account has of its quote is in the database. Where another bot or instance has read it
   * already, nobody waits for the exchange. Throws as the exchange and the storage do.
   */
  async watch(bot: Bot): Promise<void> {
    const { quote } = bot.instrument;
    let opening = this.#watched.get(quote);
    if (!opening) {
      opening = this.#open(quote);
      this.#watched.set(quote, opening);
      opening.catch(() => this.#watched.delete(quote));
    }
    return opening;
  }

  /** What must be set aside before the order may be sent; undefined for a sell: it gives what the bot holds. */
  needOf(bot: Bot, { side, price, quantity }: OrderTerms): Money | undefined {
    return side === "buy" ? notional(bot.instrument, price, quantity) : undefined;
  }

  /** True where as much was refused a moment ago: the database need not be asked. */
  isShort(bot: Bot, amount: Money): boolean {
    const short = this.#short.get(bot.instrument.quote);
    return short !== undefined && this.#options.clock.monotonic() < short.until && amount >= short.amount;
  }

  /** The database refused to set `amount` aside. */
  noteShort(bot: Bot, amount: Money): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    this.#short.set(bot.instrument.quote, { amount, until: now + SHORT_PAUSE_MS });
    if (now - this.#readAt >= SHORT_REFRESH_MS) this.#refreshOrLog();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  async #open(asset: string): Promise<void> {
    const { storage } = this.#options;
    const version = (await storage.openBalances(this.#account, [asset])).get(asset) ?? 0;
    this.#setTimer();
    // One that is under way does not know of this asset.
    await this.#reading?.catch(() => undefined);
    if (version > 0) this.#refreshOrLog();
    else await this.#refresh();
  }

  get #account(): AccountKey {
    const { exchange } = this.#options;
    return { exchange: exchange.name, account: exchange.account };
  }

  #setTimer(): void {
    if (this.#isClosed || this.#cancelTimer) return;
    this.#cancelTimer = this.#options.clock.after(this.#options.refreshMs, () => {
      this.#cancelTimer = undefined;
      this.#refreshOrLog();
      this.#setTimer();
    });
  }

  /** What was known stays good: it is never above what the account has. */
  #refreshOrLog(): void {
    this.#refresh().catch((error: unknown) => {
      this.#options.log.warn({ error }, "balances.unread");
    });
  }

  /** Those who ask at the same time share one reading. */
  #refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { exchange, storage, metrics, margin, clock } = this.#options;
    const account = this.#account;
    this.#readAt = clock.monotonic();
    const versions = await storage.openBalances(account, [...this.#watched.keys()]);
    const shown = new Map((await exchange.balances()).map((one) => [one.asset, one]));
    const readings = [...versions].map(([asset, version]) => {
      const { free, locked } = shown.get(asset) ?? { free: ZERO_MONEY, locked: ZERO_MONEY };
      const usable = money(divideDown(addMoney(free, locked) * (ONE - margin), ONE));
      return { asset, usable, version };
    });
    await storage.saveBalances(account, readings);
    for (const { asset, usable, reserved, held } of await storage.balancesInUse(account)) {
      const labels = { exchange: account.exchange, asset };
      metrics.gauge("quantmesh_balance_usable", labels, Number(formatMoney(usable)));
      metrics.gauge("quantmesh_balance_reserved", labels, Number(formatMoney(addMoney(reserved, held))));
    }
  }
}
