/** The exchange port with queries that answer as of a moment ago. */
import type { Instant } from "../../domain/ids.ts";
import type { Exchange, ExchangeOrder } from "../exchange.ts";
import type { AnswerHistory } from "../../venue/market/answer-history.ts";
import type { FaultDice } from "./fault-dice.ts";
import type { SimPortOptions } from "./sim-port.ts";

type Queries = Pick<Exchange, "findOrder" | "openOrders" | "ordersSince" | "fillsSince">;

/** A stale answer is at most `settleMs − 1` old, unless the faults say that it goes beyond. */
export function createStaleQueries(
  inner: Exchange,
  { world, clock, settleMs }: SimPortOptions,
  dice: FaultDice,
  history: AnswerHistory<ExchangeOrder>,
): Queries {
  return {
    async findOrder(symbol, id) {
      const now = await inner.findOrder(symbol, id);
      const then = changesSince(symbol, drawMoment());
      if (!now || !then?.has(now.exchangeOrderId)) return now;
      dice.count("staleQueries");
      return then.get(now.exchangeOrderId);
    },
    async openOrders(symbol) {
      const now = await inner.openOrders(symbol);
      const then = changesSince(symbol, drawMoment());
      if (!then || then.size === 0) return now;
      dice.count("staleQueries");
      const same = now.filter(({ exchangeOrderId }) => !then.has(exchangeOrderId));
      const other = [...then.values()].filter((order) => order?.status === "open");
      return [...same, ...other].filter((order) => order !== undefined).sort(byAge);
    },
    async ordersSince(symbol, since) {
      const now = await inner.ordersSince(symbol, since);
      const then = changesSince(symbol, drawMoment());
      if (!then || !now.some(({ exchangeOrderId }) => then.has(exchangeOrderId))) return now;
      dice.count("staleQueries");
      return now
        .map((order) => (then.has(order.exchangeOrderId) ? then.get(order.exchangeOrderId) : order))
        .filter((order) => order !== undefined);
    },
    async fillsSince(symbol, cursor) {
      const page = await inner.fillsSince(symbol, cursor);
      const moment = drawMoment();
      if (moment === undefined) return page;
      const fills = page.fills.filter(({ at }) => at <= moment);
      if (fills.length === page.fills.length) return page;
      dice.count("staleQueries");
      return { fills, cursor: fills.at(-1)?.tradeId ?? cursor ?? "0" };
    },
  };

  /** As of when to answer; undefined where the answer is fresh. */
  function drawMoment(): Instant | undefined {
    const { staleBeyondSettleMs } = dice.faults;
    if (!dice.strikes("staleQueries")) return undefined;
    if (staleBeyondSettleMs > 0) return before(settleMs + staleBeyondSettleMs);
    return settleMs > 1 ? before(dice.upTo(settleMs - 1)) : undefined;
  }

  function before(ageMs: number): Instant {
    return (world.tell(clock.now()) - ageMs) as Instant;
  }

  function changesSince(
    symbol: string,
    moment: Instant | undefined,
  ): ReadonlyMap<string, ExchangeOrder | undefined> | undefined {
    return moment === undefined ? undefined : history.changedSince(symbol, moment);
  }
}

function byAge(a: ExchangeOrder, b: ExchangeOrder): number {
  return Number(a.exchangeOrderId) - Number(b.exchangeOrderId);
}
