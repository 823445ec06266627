/** Loads counted by hand on a clock that the test moves. */
import { describe, expect, it } from "vitest";
import type { MarketHint } from "../../../src/exchange/exchange.ts";
import type { Exchange } from "../../../src/exchange/exchange.ts";
import { LoadMeter, meteredExchange } from "../../../src/runner/load-meter.ts";

const BTC = "BTC/USDT";

describe("a load meter", () => {
  it("knows nothing before its second sample", () => {
    const meter = new LoadMeter(10_000);
    meter.event(BTC, 1);
    meter.sample(0);

    expect(meter.loads().size).toBe(0);
  });

  it("tells means over its window, and forgets what is older", () => {
    const meter = new LoadMeter(10_000);
    for (let second = 0; second <= 30; second += 1) {
      meter.sample(1000 * second);
      const events = second < 15 ? 100 : 10;
      for (let event = 0; event < events; event += 1) meter.event(BTC, 0.5);
      meter.order(BTC);
    }
    expect(meter.loads().get(BTC)).toEqual({ events: 10, orders: 1, busy: 0.005 });

    meter.sample(31_000);
    meter.sample(60_000);
    meter.sample(61_000);
    expect(meter.loads().get(BTC)).toEqual({ events: 0, orders: 0, busy: 0 });
  });
});

describe("a metered exchange", () => {
  it("counts what its streams tell with the time that it takes, and what is sent; everything else passes", async () => {
    let now = 0;
    let listener: (hint: MarketHint) => void = () => undefined;
    class Inner {
      readonly #name = "inner";
      get name(): string {
        return this.#name;
      }
      subscribe(_symbol: string, listen: (hint: MarketHint) => void): () => void {
        listener = listen;
        return () => undefined;
      }
      async placeOrder(): Promise<string> {
        return `placed by ${this.#name}`;
      }
      async cancelOrder(): Promise<string> {
        return "canceled";
      }
      async ping(): Promise<string> {
        return this.#name;
      }
    }
    const meter = new LoadMeter(10_000);
    const exchange = meteredExchange(new Inner() as unknown as Exchange, meter, { monotonic: () => now });
    meter.sample(0);

    exchange.subscribe(BTC, () => {
      now += 25;
    });
    listener({ kind: "gap" });
    listener({ kind: "gap" });
    const request = { symbol: BTC } as Parameters<Exchange["placeOrder"]>[0];
    expect(await exchange.placeOrder(request)).toBe("placed by inner");
    await exchange.cancelOrder({ symbol: BTC } as Parameters<Exchange["cancelOrder"]>[0]);
    meter.sample(1000);

    expect(meter.loads().get(BTC)).toEqual({ events: 2, orders: 2, busy: 0.05 });
    expect([exchange.name, await exchange.ping(), exchange.admit]).toEqual(["inner", "inner", undefined]);
  });
});
