/** An exchange whose prices are read and whose orders are not: what ccxt alone knows of it. */
import { QuantmeshError } from "../../domain/errors.ts";
import type { Dialect } from "./dialect.ts";

export const PLAIN: Dialect = {
  options: { defaultType: "spot" },
  urls: (rest) => ({ public: rest, private: rest }),
  codeOf: () => undefined,
  judge: () => ({ kind: "unproven" }),
  bound: () => ({}),
  usedOf: () => [],
  limitsIn: () => undefined,
  // Every public service allows one question a second.
  limits: [{ counts: "weight", most: 60, perMs: 60_000 }],
  weights: {
    time: 1,
    price: 1,
    candles: 1,
    fees: 1,
    keyRights: 1,
    place: 1,
    cancel: 1,
    findOrder: 1,
    openOrders: 1,
    orders: 1,
    fills: 1,
    balances: 1,
  },
  ordersSince: neverAsked,
  tradesFrom: neverAsked,
  clientIdOfTrade: () => undefined,
  openOrderStream: neverAsked,
  mostOpenOrders: () => undefined,
  keyRights: async () => undefined,
};

async function neverAsked(): Promise<never> {
  throw new QuantmeshError("INVARIANT", "nothing is sent to an exchange whose answers are not understood");
}
