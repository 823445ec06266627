/** The invariants that every replay must end with, whatever went wrong on the way. */
import { expect } from "vitest";
import { addMoney, formatMoney, money, parseMoney } from "../../src/domain/amounts.ts";
import type { FillLine, Replay, ReplayEnd } from "./replay-run.ts";

/** I1, I2, I3 and I7: one accepted order per id, the exchange's fills stored once each, nothing left unresolved. */
export function expectSound({ bots, balances, audit, log }: Replay): ReplayEnd {
  const [bot] = bots;
  if (!bot) throw new Error("no bot is stored");
  expect(log.filter(({ event }) => event === "bot.failed" || event === "bot.mode")).toEqual([]);
  const ids = audit.map(({ id }) => id);
  expect(new Set(ids).size, "an id was accepted twice").toBe(ids.length);
  expect(sorted(bot.fills)).toEqual(sorted(bot.exchangeFills));
  expect(bot.unresolved).toBe(0);
  expect(bot.resting).toEqual(bot.exchangeOpen);
  const { position, cashFlow } = bot.totals;
  expect(balances["BTC"]).toBe(formatMoney(money(BigInt(position) * 10n ** 13n)));
  expect(balances["USDT"]).toBe(formatMoney(addMoney(parseMoney("1000000"), cashFlow)));
  return bot;
}

/** After an order proven absent the next generation fills. */
export function withoutGeneration({ generation: _, ...fill }: FillLine): object {
  return fill;
}

function sorted(fills: readonly FillLine[]): readonly string[] {
  return fills.map((fill) => JSON.stringify(fill)).sort();
}
