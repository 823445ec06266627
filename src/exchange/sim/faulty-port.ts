/** The exchange port as a bad network and a hurried exchange show it: what the bot sees goes wrong, by the dice. */
import type { Clock } from "../../domain/clock.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Exchange } from "../exchange.ts";
import { AnswerHistory } from "../../venue/market/answer-history.ts";
import type { FaultDice } from "./fault-dice.ts";
import type { FaultName } from "./faults.ts";
import { FaultyStream } from "./faulty-stream.ts";
import { exchangeOrderOf } from "./hints.ts";
import type { SimPortOptions } from "./sim-port.ts";
import { createStaleQueries } from "./stale-port.ts";
import type { UnderWay } from "./under-way.ts";

interface FaultyPortOptions extends SimPortOptions {
  readonly symbols: readonly string[];
  readonly dice: FaultDice;
  readonly underWay: UnderWay;
}

/** Wraps the port `inner` of the same options. */
export function createFaultyPort(inner: Exchange, options: FaultyPortOptions): Exchange {
  const { world, clock, dice, underWay, settleMs, symbols } = options;
  const open = symbols.flatMap((symbol) => world.venue.openOrders(world.account, symbol));
  const history = new AnswerHistory(
    open.map(exchangeOrderOf),
    settleMs + dice.faults.staleBeyondSettleMs,
    exchangeOrderOf,
  );
  world.watch((event) => history.note(event, world.time));
  const queries = createStaleQueries(inner, options, dice, history);
  return {
    ...inner,
    placeOrder: (request) => send(() => inner.placeOrder(request), "accepted", "lostAfter"),
    cancelOrder: (request) => send(() => inner.cancelOrder(request), "canceled", "lostCancelAnswer"),
    time: () => read(() => inner.time()),
    instrument: (symbol) => read(() => inner.instrument(symbol)),
    price: (symbol) => read(() => inner.price(symbol)),
    findOrder: (symbol, id) => read(() => queries.findOrder(symbol, id)),
    openOrders: (symbol) => read(() => queries.openOrders(symbol)),
    ordersSince: (symbol, since) => read(() => queries.ordersSince(symbol, since)),
    fillsSince: (symbol, cursor) => read(() => queries.fillsSince(symbol, cursor)),
    balances: () => read(() => inner.balances()),
    ping: () => read(() => inner.ping()),
    subscribe: (symbol, listen) => subscribe(inner, symbol, listen, dice, clock),
  };

  async function read<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (!strikes("unavailableReads")) return ask();
    throw new QuantmeshError(
      "EXCHANGE_UNAVAILABLE",
      "the simulated exchange does not answer: injected fault",
    );
  }

  /** `done` is the outcome whose answer `lostAnswer` loses. */
  async function send<Outcome extends { readonly kind: string }>(
    request: () => Promise<Outcome>,
    done: Outcome["kind"],
    lostAnswer: FaultName,
  ): Promise<Outcome | Unknown> {
    if (strikes("lostBefore")) return unknown("the request was lost on its way");
    let outcome: Outcome;
    if (underWay.isOpen && strikes("lateRequest")) {
      const isAwaited = dice.isHeads();
      const delayMs = dice.upTo(dice.faults.maxDelayMs);
      const arrival = underWay.travel(delayMs, isAwaited).then(request);
      if (!isAwaited) {
        // The journal remembers a failure, and throws it at whoever asks the exchange next.
        arrival.catch(() => undefined);
        return unknown("no answer came in time; the request is still on its way");
      }
      outcome = await arrival;
    } else {
      outcome = await request();
    }
    if (outcome.kind === done && strikes(lostAnswer)) return unknown("the answer was lost");
    if (underWay.isOpen && strikes("lateAnswer"))
      await underWay.travel(dice.upTo(dice.faults.maxDelayMs), true);
    return outcome;
  }

  function strikes(name: FaultName): boolean {
    if (!dice.strikes(name)) return false;
    dice.count(name);
    return true;
  }
}

interface Unknown {
  readonly kind: "unknown";
  readonly message: string;
}

function unknown(message: string): Unknown {
  return { kind: "unknown", message: `${message}: injected fault` };
}

function subscribe(
  inner: Exchange,
  symbol: string,
  listen: Parameters<Exchange["subscribe"]>[1],
  dice: FaultDice,
  clock: Clock,
): () => void {
  const stream = new FaultyStream(listen, dice, clock);
  const unsubscribe = inner.subscribe(symbol, (hint) => stream.hear(hint));
  return () => {
    unsubscribe();
    stream.close();
  };
}
