/** Numbers as the venue reads and writes them, and candles out of minutes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freshSeed, seededRandom } from "../../support/scale.ts";
import { parseMoney, priceTicks, quantityLots } from "../../../src/domain/amounts.ts";
import type { Money } from "../../../src/domain/amounts.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import type { Kline } from "../../../src/venue/server/klines.ts";
import { INTERVALS, everyMs, klinesOf } from "../../../src/venue/server/klines.ts";
import type { Listing } from "../../../src/venue/server/listing.ts";
import {
  listingOf,
  moneyText,
  priceText,
  quantityText,
  readPrice,
  readQuantity,
} from "../../../src/venue/server/listing.ts";
import type { TapeCandle } from "../../../src/venue/server/candle-series.ts";

const LISTING = listing("0.01", "0.00001");
const MINUTE = 60_000;

describe("numbers with eight decimals", () => {
  it("are read as they were written, for every price and quantity", () => {
    const whole = fc.integer({ min: 1, max: 10 ** 9 });
    fc.assert(
      fc.property(
        whole,
        fc.constantFrom(LISTING, listing("0.5", "1"), listing("0.00000001", "1")),
        (number, each) => {
          const price = priceText(each, priceTicks(number));
          expect(price).toMatch(/^\d+\.\d{8}$/);
          expect(readPrice(each, price)).toBe(number);
          expect(readQuantity(each, quantityText(each, quantityLots(number)))).toBe(number);
        },
      ),
    );
  });

  it("stay exact beyond what a float can hold", () => {
    expect(moneyText(parseMoney("123456789012345.12345678"))).toBe("123456789012345.12345678");
    expect(moneyText(parseMoney("90071992.54740993"))).toBe("90071992.54740993");
    expect(moneyText(0n as Money)).toBe("0.00000000");
  });

  it.each(["0.005", "0.015", "-1", "1e5", "", " 1", "0x10", "1.", ".5", "NaN", "Infinity"])(
    "%j is no price here",
    (text) => {
      expect(() => readPrice(LISTING, text)).toThrow(/PRICE_FILTER|Illegal characters/);
    },
  );

  it("are the same whether they are read as one number or digit by digit", () => {
    const seed = freshSeed();
    console.log(`seed ${seed}`);
    const random = seededRandom(seed);
    const digits = (most: number): string =>
      Array.from({ length: 1 + Math.floor(random() * most) }, () => Math.floor(random() * 10)).join("");
    for (let round = 0; round < 5_000; round += 1) {
      const text = random() < 0.2 ? digits(12) : `${digits(12)}.${digits(8)}`;
      const read = (given: string): number | string => {
        try {
          return readPrice(LISTING, given);
        } catch (error) {
          return String(error);
        }
      };
      // Zeros in front change nothing but the way it is read.
      expect([text, read(text)]).toEqual([text, read(`${"0".repeat(8)}${text}`)]);
    }
  });

  it("are refused at the start where a symbol needs more decimals", () => {
    expect(() => listing("0.000000001", "1")).toThrow("multiples of 0.00000001");
  });
});

describe("candles", () => {
  const candle = (minute: number, [open, high, low, close]: readonly number[], lots = 1): TapeCandle => ({
    openTime: minute * MINUTE,
    open: priceTicks(open ?? 0),
    high: priceTicks(high ?? 0),
    low: priceTicks(low ?? 0),
    close: priceTicks(close ?? 0),
    lots: quantityLots(lots),
    value: parseMoney("1"),
    trades: 1,
    takenLots: quantityLots(0),
  });
  const MINUTES = [candle(3, [10, 12, 9, 11]), candle(4, [11, 15, 11, 14]), candle(7, [14, 14, 8, 9])];
  const shape = ({ openTime, open, high, low, close, trades }: Kline) => [
    openTime / MINUTE,
    open,
    high,
    low,
    close,
    trades,
  ];

  it("stand at the last price where nothing happened", () => {
    expect(klinesOf(MINUTES, everyMs(MINUTE), 0, 8 * MINUTE).map(shape)).toEqual([
      [3, 10, 12, 9, 11, 1],
      [4, 11, 15, 11, 14, 1],
      [5, 14, 14, 14, 14, 0],
      [6, 14, 14, 14, 14, 0],
      [7, 14, 14, 8, 9, 1],
      [8, 9, 9, 9, 9, 0],
    ]);
  });

  it("are joined to longer ones at the hours of the clock", () => {
    expect(klinesOf(MINUTES, everyMs(5 * MINUTE), 0, 9 * MINUTE).map(shape)).toEqual([
      [0, 10, 15, 9, 14, 2],
      [5, 14, 14, 8, 9, 1],
    ]);
    expect(klinesOf(MINUTES, everyMs(5 * MINUTE), MINUTE, 9 * MINUTE).map(shape)).toEqual([
      [5, 14, 14, 8, 9, 1],
    ]);
    expect(klinesOf([], everyMs(MINUTE), 0, 9 * MINUTE)).toEqual([]);
    expect(klinesOf(MINUTES, everyMs(MINUTE), 0, 8 * MINUTE, 2).map(shape)).toHaveLength(2);
  });

  it.each([
    ["3d", ["2024-01-12", "2024-01-15"]],
    ["1w", ["2024-01-08", "2024-01-15"]],
    ["1M", ["2024-01-01", "2024-02-01", "2024-03-01"]],
  ])("of %s begin where the calendar has them begin", (name, starts) => {
    const minute = Date.parse("2024-01-12T12:34:00Z") / MINUTE;
    const interval = INTERVALS[name] ?? everyMs(1);
    const last = Date.parse(starts.at(-1) ?? "");

    const klines = klinesOf([candle(minute, [10, 12, 9, 11])], interval, 0, last);

    expect(klines.map(({ openTime }) => new Date(openTime).toISOString().slice(0, 10))).toEqual(starts);
    expect(klines.map(({ closeTime }) => closeTime + 1).slice(0, -1)).toEqual(
      klines.map(({ openTime }) => openTime).slice(1),
    );
    expect(klines.map(({ trades }) => trades)).toEqual(starts.map((_, index) => (index === 0 ? 1 : 0)));
    expect(interval.shift(last, 1 - starts.length)).toBe(klines[0]?.openTime);
  });
});

function listing(tickSize: string, lotSize: string): Listing {
  const instrument = createInstrument({
    exchange: "binance",
    symbol: "BTC/USDT",
    tickSize,
    lotSize,
    makerFee: "0.001",
    takerFee: "0.001",
  });
  const filters = {
    minPrice: priceTicks(1),
    maxPrice: priceTicks(10 ** 12),
    minQuantity: quantityLots(1),
    maxQuantity: quantityLots(10 ** 12),
    minNotional: parseMoney("0"),
    maxNotional: parseMoney("1000000000"),
    maxOpenOrders: 200,
  };
  return listingOf({
    instrument,
    filters,
    fill: "touch",
    source: { kind: "manual", startPrice: priceTicks(1) },
  });
}
