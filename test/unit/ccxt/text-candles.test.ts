/** Candles and rules of an exchange as exact text, through ccxt's own parsing. */
import { beforeAll, describe, expect, it } from "vitest";
import type { CcxtClient } from "../../../src/exchange/ccxt/ccxt-client.ts";
import { toTextCandles } from "../../../src/exchange/ccxt/ccxt-normalize.ts";
import { createClient } from "../../../src/exchange/ccxt/create-client.ts";
import { BINANCE } from "../../../src/exchange/ccxt/binance.ts";
import { listMarkets } from "../../../src/exchange/ccxt/listed-markets.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";

interface Parsing extends CcxtClient {
  parseOHLCVs(klines: unknown): unknown;
}

const AT = 1_700_000_040_000;
const kline = (at: number, ...values: readonly unknown[]): readonly unknown[] => [at, ...values];

describe("candles through ccxt", () => {
  let client: Parsing;
  beforeAll(async () => {
    client = (await createClient({
      exchange: "binance",
      dialect: BINANCE,
      keys: undefined,
      isSandbox: false,
      urls: undefined,
      now: () => AT,
      clock: realClock,
      noteAnswer: () => undefined,
    })) as Parsing;
  });
  const read = (klines: unknown): ReturnType<typeof toTextCandles> =>
    toTextCandles(client.parseOHLCVs(klines));

  it("keep every digit and no zero that says nothing", () => {
    const [candle] = read([
      kline(AT, "0.00001230", "9007199254740993.10000001", "0.00000001", "5.00000000", "123456789.123456789"),
    ]);
    expect(candle).toEqual({
      openTime: AT,
      open: "0.0000123",
      high: "9007199254740993.10000001",
      low: "0.00000001",
      close: "5",
      volume: "123456789.123456789",
    });
  });

  it("are read where an exchange writes numbers instead of text", () => {
    expect(toTextCandles([[AT, 1e-7, 2.5, 1e-8, 2, 0]])).toMatchObject([
      { open: "0.0000001", high: "2.5", low: "0.00000001", close: "2", volume: "0" },
    ]);
  });

  it("ascend and come once, and are none where they have no price", () => {
    const candles = toTextCandles([
      [AT + 60_000, "2", "2", "2", "2", "1"],
      [AT, "1", "1", "1", "1", "1"],
      [AT, "1", "1", "1", "1", "1"],
      [AT + 120_000, null, null, null, null, "0"],
      [AT + 180_000, "0.0", "0.0", "0.0", "0.0", "0"],
    ]);
    expect(candles.map(({ openTime }) => openTime - AT)).toEqual([0, 60_000]);
  });

  it.each<readonly [string, unknown]>([
    ["no list", { code: -1 }],
    ["a row that is none", ["x"]],
    ["no time", [[undefined, "1", "1", "1", "1", "1"]]],
    ["a high below its open", [[AT, "2", "1.5", "1", "1", "1"]]],
    ["a low above its close", [[AT, "2", "3", "1.5", "1", "1"]]],
    ["a price below nothing", [[AT, "1", "1", "-1", "1", "1"]]],
    ["a word for a price", [[AT, "1", "1", "1", "NaN", "1"]]],
    ["a word for a volume", [[AT, "1", "1", "1", "1", "much"]]],
  ])("are not believed of an answer with %s", (_, answer) => {
    expect(() => toTextCandles(answer)).toThrow(expect.objectContaining({ code: "EXCHANGE_UNAVAILABLE" }));
  });
});

describe("the list of markets", () => {
  const market = (symbol: string, more: object = {}): Readonly<Record<string, unknown>> => ({
    symbol,
    spot: true,
    active: true,
    precision: { price: "0.01", amount: "1e-05" },
    limits: { amount: { min: "0.00001" }, cost: { min: "5" } },
    maker: "0.001",
    taker: "0.0012",
    ...more,
  });
  const markets = {
    "ETH/USDT": market("ETH/USDT", { maker: undefined, taker: undefined }),
    "BTC/USDT": market("BTC/USDT"),
    "BTC/USDT:USDT": market("BTC/USDT:USDT", { spot: false }),
    "OLD/USDT": market("OLD/USDT", { active: false }),
    "ODD/USDT": market("ODD/USDT", { precision: { price: "nonsense", amount: "1" } }),
  };

  it("has the spot markets that are traded, by name, with rules in plain decimals", () => {
    const { markets: found } = listMarkets("binance", { markets, precisionMode: 4 }, BINANCE);
    expect(found.map(({ symbol }) => symbol)).toEqual(["BTC/USDT", "ETH/USDT"]);
    expect(found[0]).toEqual({
      symbol: "BTC/USDT",
      base: "BTC",
      quote: "USDT",
      tickSize: "0.01",
      lotSize: "0.00001",
      minQuantity: "0.00001",
      minNotional: "5",
      makerFee: "0.001",
      takerFee: "0.0012",
    });
    expect([found[1]?.makerFee, found[1]?.takerFee]).toEqual([undefined, undefined]);
  });

  it("names the markets whose rules cannot be read, instead of hiding them", () => {
    expect(listMarkets("binance", { markets, precisionMode: 4 }, BINANCE).unreadable).toEqual(["ODD/USDT"]);
  });
});
