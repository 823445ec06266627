/** The beginning of every start: claim the market, then load the bot, or set a new one up. */
import type { Turns } from "../coordination/turns.ts";
import type { Claim, MarketKey } from "../domain/claim.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { Bot } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice } from "../domain/instrument.ts";
import type { BotLedger } from "../domain/ledger.ts";
import { createBot } from "../strategy/create-bot.ts";
import type { Rules } from "../strategy/rules.ts";
import { resolveRules } from "../strategy/rules.ts";
import type { GridRules, GridSettings } from "../strategy/settings.ts";
import { KEEP_STORED_GRID, differenceFromStored } from "../strategy/stored-grid.ts";
import type { RunnerPorts } from "./ports.ts";

export interface BotSetup {
  readonly market: MarketKey;
  readonly settings: GridSettings;
  readonly rules: GridRules;
}

type OpeningPorts = Pick<
  RunnerPorts,
  "storage" | "replaySpool" | "exchange" | "claims" | "balances" | "log" | "drawBotCode"
>;

export interface OpenedBot {
  readonly bot: Bot;
  readonly claim: Claim;
  readonly ledger: BotLedger;
  readonly rules: Rules;
}

/**
 * Throws CONFIG_INVALID where the stored grid is another one than the config asks for, LEASE_LOST where the market is
 * not this instance's. Waits until whoever has it lets go, or `signal` is aborted. Of many that open at once a few load at
 * a time, in `turns`: the first of them trades while the last one still loads, and the last no later than otherwise.
 */
export async function openBot(
  ports: OpeningPorts,
  setup: BotSetup,
  turns: Turns,
  signal: AbortSignal,
): Promise<OpenedBot> {
  const { storage, exchange, claims } = ports;
  const { market } = setup;
  const instrument = await exchange.instrument(market.symbol);
  const claim = await claims.take(market, signal);
  ports.log.info({ symbol: market.symbol, epoch: claim.epoch }, "bot.claimed");
  // What was kept through an outage or a crash comes before the loading: whoever trades this market counts it.
  await ports.replaySpool();
  const load = async (bot: Bot): Promise<OpenedBot> => {
    const [ledger] = await Promise.all([storage.loadLedger(bot), openReservation(ports, bot, claim)]);
    return { bot, claim, ledger, rules: resolveRules(bot, setup.rules) };
  };
  const opened = await turns.run(async () => {
    const stored = await storage.findBot(market);
    if (!stored) return undefined;
    refuseChanged(stored, setup, instrument);
    return load(stored);
  });
  return opened ?? load(await setUp(ports, setup, instrument, claim));
}

/** What the bot's open buys tie up counts from here on. */
async function openReservation({ balances, storage }: OpeningPorts, bot: Bot, claim: Claim): Promise<void> {
  if (!balances) return;
  if ((await storage.openReservation(claim, bot)) === "stale") throw overtaken(bot.market);
  await balances.watch(bot);
}

/** Reads what a start would read; changes nothing, claims nothing. Whoever does so before starts with open connections. */
export async function readStored(
  { storage }: Pick<OpeningPorts, "storage">,
  { market }: BotSetup,
): Promise<void> {
  const stored = await storage.findBot(market);
  if (stored) await storage.loadLedger(stored);
}

/** Throws CONFIG_INVALID where the stored grid is another one than the config asks for; changes nothing, claims nothing. */
export async function checkStoredBot(
  { storage, exchange }: Pick<OpeningPorts, "storage" | "exchange">,
  setup: BotSetup,
): Promise<void> {
  const stored = await storage.findBot(setup.market);
  if (stored) refuseChanged(stored, setup, await exchange.instrument(setup.market.symbol));
}

async function setUp(
  ports: OpeningPorts,
  setup: BotSetup,
  instrument: Instrument,
  claim: Claim,
): Promise<Bot> {
  const { market, settings, rules } = setup;
  const { price, at } = await ports.exchange.price(market.symbol);
  const code = ports.drawBotCode();
  const bot = createBot({ code, market, instrument, settings, rules, price, createdAt: at });
  const outcome = await ports.storage.createBot(claim, bot);
  if (outcome === "stale") throw overtaken(market);
  ports.log.info(
    { symbol: market.symbol, bot: code, slots: bot.slots.length, startPrice: formatPrice(instrument, price) },
    "bot.created",
  );
  return bot;
}

function overtaken({ symbol }: MarketKey): QuantmeshError {
  return new QuantmeshError("STALE_EPOCH", `${symbol} was claimed by another instance meanwhile`);
}

function refuseChanged(stored: Bot, { settings }: BotSetup, instrument: Instrument): void {
  const difference = differenceFromStored(stored, settings, instrument);
  if (difference !== undefined) {
    throw new QuantmeshError("CONFIG_INVALID", `${difference}\n${KEEP_STORED_GRID}`);
  }
}
