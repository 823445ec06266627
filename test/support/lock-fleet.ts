/** A fleet reduced to what places orders: level locks, intents and the sender, on a shared account. */
import { setMaxListeners } from "node:events";
import { soloClaims } from "../../src/coordination/claims.ts";
import { SOLO_PERMIT } from "../../src/coordination/permit.ts";
import { priceTicks, quantityLots } from "../../src/domain/amounts.ts";
import type { Claim } from "../../src/domain/claim.ts";
import type { Clock } from "../../src/domain/clock.ts";
import type { Bot } from "../../src/domain/grid.ts";
import type { ClientOrderId, Instant } from "../../src/domain/ids.ts";
import { botCode, generation, slotNumber } from "../../src/domain/ids.ts";
import type { Instrument } from "../../src/domain/instrument.ts";
import { createInstrument } from "../../src/domain/instrument.ts";
import { parseMoney } from "../../src/domain/amounts.ts";
import type { OrderTerms } from "../../src/domain/order.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import { realClock } from "../../src/exchange/sim/real-clock.ts";
import type { SimMarket } from "../../src/exchange/sim/sim-exchange.ts";
import { openSimExchange } from "../../src/exchange/sim/sim-exchange.ts";
import type { LockProvider } from "../../src/lock/lock.ts";
import { Activity } from "../../src/runner/activity.ts";
import type { BotContext } from "../../src/runner/bot-context.ts";
import { Books } from "../../src/runner/books.ts";
import { ExchangeClock } from "../../src/runner/exchange-clock.ts";
import { LevelLocks } from "../../src/runner/level-locks.ts";
import { LockKeeper } from "../../src/runner/lock-keeper.ts";
import { sendOrder } from "../../src/runner/order-sender.ts";
import type { RunnerPorts } from "../../src/runner/ports.ts";
import { openSpool } from "../../src/storage/spool.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { encodeClientOrderId } from "../../src/strategy/client-order-id.ts";
import type { GridEvent } from "../../src/strategy/events.ts";
import { openState } from "../../src/strategy/state.ts";
import { resolveRules } from "../../src/strategy/rules.ts";
import { DEFAULT_RULES } from "../../src/strategy/settings.ts";
import type { KeptLine } from "./kept-log.ts";
import { logInto } from "./kept-log.ts";

const SYMBOL = "BTC/USDT";
const instrumentOn = (exchange: string): Instrument =>
  createInstrument({
    exchange,
    symbol: SYMBOL,
    tickSize: "0.01",
    lotSize: "0.00001",
    makerFee: "0.001",
    takerFee: "0.001",
  });

/** An account whose market stands far above every order of these tests. */
export function openSharedAccount(): Promise<SimMarket> {
  return openSimExchange({
    name: "sim",
    account: "shared",
    journalFile: ":memory:",
    balances: { USDT: parseMoney("1000000000") },
    symbols: [
      {
        instrument: instrumentOn("sim"),
        market: {
          type: "walk",
          seed: 1,
          startPrice: priceTicks(9_000_000),
          stepTicks: priceTicks(1),
          reversion: 400,
          stepMs: 1_000,
        },
      },
    ],
  });
}

export interface FleetParts {
  readonly exchange: Exchange;
  readonly storage: Storage;
  readonly lock: LockProvider;
  readonly lockTtlMs: number;
  /** Of ten characters. */
  readonly code: string;
  readonly holder?: string;
}

export interface LockFleet {
  readonly locks: LevelLocks;
  readonly keeper: LockKeeper;
  readonly claim: Claim;
  readonly log: readonly KeptLine[];
  /** What came of each order that was to be placed. */
  readonly events: readonly GridEvent[];
  /** Why the session was given up. */
  readonly lost: readonly string[];
  /** Places the `number`-th buy of level `level`; resolves with what came of it. */
  place(level: number, number: number): Promise<string>;
  /** Cancels what was accepted and gives up its levels. */
  cancelAll(): Promise<void>;
}

/** Waits a hundredth of what is asked: who finds a level busy comes back sooner. */
const HASTY: Clock = { ...realClock, after: (ms, run) => realClock.after(ms / 100, run) };

/** The fleet's bot is created where its storage has none; the claim is a new one in any case. */
export async function openLockFleet(parts: FleetParts): Promise<LockFleet> {
  const { exchange, storage, lock, lockTtlMs } = parts;
  const market = { exchange: exchange.name, account: exchange.account, symbol: SYMBOL };
  const claim = await storage.claim(market, parts.holder ?? "test");
  const found = await storage.findBot(market);
  const bot = found ?? newBot(parts.code, market);
  if (!found) await storage.createBot(claim, bot);
  const log: KeptLine[] = [];
  const events: GridEvent[] = [];
  const lost: string[] = [];
  const activity = new Activity();
  const kept = logInto(log);
  const keeper = new LockKeeper({ lock, lockTtlMs, clock: realClock, activity, log: kept });
  const nothing = (): void => undefined;
  const ports: RunnerPorts = {
    exchange,
    storage,
    lock,
    clock: HASTY,
    permit: SOLO_PERMIT,
    log: kept,
    metrics: { count: nothing, gauge: nothing, observe: nothing },
    activity,
    drawBotCode: () => bot.code,
    spool: openSpool({ file: ":memory:", capacity: 1_000, now: Date.now }),
    replaySpool: async () => undefined,
    claims: soloClaims(storage, "test"),
    random: Math.random,
    fleet: await storage.fleetId(),
    lockBackend: "test",
    lockTtlMs,
    lockGranularity: "level",
    lockKeeper: keeper,
    reconcileIntervalMs: 60_000,
    exit: "leave",
    ownsAsset: () => true,
  };
  const locks = new LevelLocks(ports, bot, claim);
  keeper.keep(locks);
  const ledger = await storage.loadLedger(bot);
  const context: BotContext = {
    ports,
    bot,
    claim,
    exchangeClock: new ExchangeClock(realClock, exchange),
    locks,
    books: new Books({ storage, spool: ports.spool, log: kept, bot, claim, onAway: nothing }),
    run: (work) => void work(),
    signal: new AbortController().signal,
    validUntil: new Map<ClientOrderId, Instant>(),
    state: () => openState(bot, ledger, resolveRules(bot, DEFAULT_RULES)),
    post: async (event) => {
      events.push(event);
      return true;
    },
    resolve: nothing,
    lose: (reason) => lost.push(reason),
  };
  setMaxListeners(1_000, context.signal);
  const accepted = new Map<ClientOrderId, string>();
  return {
    locks,
    keeper,
    claim,
    log,
    events,
    lost,
    place: async (level, number) => {
      const before = lost.length;
      const terms = termsOf(bot, level, number);
      await sendOrder(context, terms);
      if (lost.length > before) return `lost: ${lost.at(-1)}`;
      const last = events.findLast((event) => "order" in event && event.order.id === terms.id);
      if (last?.kind === "orderAccepted") accepted.set(terms.id, last.exchangeOrderId);
      return last && "reason" in last ? last.reason : String(last?.kind);
    },
    cancelAll: async () => {
      await Promise.all(
        [...accepted].map(([id, exchangeOrderId]) => {
          const validUntil = (realClock.now() + exchange.requestWindowMs) as Instant;
          return exchange.cancelOrder({ symbol: SYMBOL, id, exchangeOrderId, validUntil });
        }),
      );
      accepted.clear();
      locks.retain(new Set());
      await activity.whenIdle();
    },
  };
}

/** The prices at which more than one order of the account rests. */
export async function doubledLevels(exchange: Exchange): Promise<readonly number[]> {
  const prices = (await exchange.openOrders(SYMBOL)).map(({ price }) => Number(price));
  return prices.filter((price, index) => prices.indexOf(price) !== index);
}

function newBot(code: string, market: Bot["market"]): Bot {
  return {
    code: botCode(code),
    market,
    instrument: instrumentOn(market.exchange),
    settings: "{}",
    lattice: { kind: "range" },
    initial: "none",
    startPrice: priceTicks(9_000_000),
    createdAt: realClock.now(),
    slots: [],
  };
}

function termsOf(bot: Bot, level: number, number: number): OrderTerms {
  // Each placement has a slot of its own: what is tested is the lock of the price, not the key of the slot.
  const slot = slotNumber(number * 1_000 + level);
  const first = generation(1);
  return {
    id: encodeClientOrderId(bot.code, slot, "buy", first),
    slot,
    side: "buy",
    generation: first,
    type: "limit",
    price: priceTicks(1_000_000 + 100 * level),
    quantity: quantityLots(1_000),
    createdAt: realClock.now(),
  };
}
