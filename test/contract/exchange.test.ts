/** The exchange contract, kept by each adapter. */
import type { PriceTicks, QuantityLots } from "../../src/domain/amounts.ts";
import { parseMoney } from "../../src/domain/amounts.ts";
import type { Instant } from "../../src/domain/ids.ts";
import { createInstrument } from "../../src/domain/instrument.ts";
import { FaultDice } from "../../src/exchange/sim/fault-dice.ts";
import { completeFaults } from "../../src/exchange/sim/faults.ts";
import { createFaultyPort } from "../../src/exchange/sim/faulty-port.ts";
import { Hints } from "../../src/exchange/sim/hints.ts";
import { openJournal } from "../../src/exchange/sim/journal.ts";
import { createSimPort } from "../../src/exchange/sim/sim-port.ts";
import { SimWorld } from "../../src/exchange/sim/sim-world.ts";
import { UnderWay } from "../../src/exchange/sim/under-way.ts";
import { VirtualClock } from "../../src/exchange/sim/virtual-clock.ts";
import { createFeed } from "../../src/venue/market/feed.ts";
import type { ExchangeFixture } from "./describe-exchange.ts";
import { describeExchange } from "./describe-exchange.ts";

describeExchange("the simulated market", () => openSim(false));
describeExchange("the simulated market behind faults that never strike", () => openSim(true));

/** The parts of a simulated market around a feed whose every next point is the price that a test wants. */
async function openSim(withFaults: boolean): Promise<ExchangeFixture> {
  const instrument = createInstrument({
    exchange: "sim",
    symbol: "BTC/USDT",
    tickSize: "0.01",
    lotSize: "0.001",
    minNotional: "5",
    makerFee: "0.001",
    takerFee: "0.002",
  });
  const { symbol } = instrument;
  const price = 10_000 as PriceTicks;
  const clock = new VirtualClock(1_000_000 as Instant);
  let next = price;
  const source = { symbol, nextAt: () => clock.now(), next: () => next };
  const world = new SimWorld({
    account: "main",
    balances: { USDT: parseMoney("1000000"), BTC: parseMoney("1000") },
    instruments: [instrument],
    startPrices: new Map([[symbol, price]]),
    fillRules: new Map(),
    pointsHaveTime: true,
    feed: createFeed([source]),
    journal: openJournal(":memory:", "main", {}, clock.now()),
  });
  const hints = new Hints();
  const port = { name: "sim", requestWindowMs: 1_000, settleMs: 0, world, hints, clock };
  const plain = createSimPort(port);
  const dice = new FaultDice(completeFaults({}), 0);
  const underWay = new UnderWay(clock);
  const exchange = withFaults
    ? createFaultyPort(plain, { ...port, symbols: [symbol], dice, underWay })
    : plain;
  return {
    exchange,
    instrument,
    price,
    quantity: 100 as QuantityLots,
    async movePrice(to) {
      next = to;
      clock.advanceTo((clock.now() + 100) as Instant);
      hints.deliverPoint(world.advance(clock.now()), clock.now(), world.takeEvents());
    },
    close: () => exchange.close(),
  };
}
