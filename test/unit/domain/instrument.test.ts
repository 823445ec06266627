/** An instrument: exact conversions between text, ticks, lots and money, and what it refuses. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatMoney, priceTicks, quantityLots } from "../../../src/domain/amounts.ts";
import type { InstrumentText } from "../../../src/domain/instrument.ts";
import {
  createInstrument,
  formatPrice,
  formatQuantity,
  isOrderable,
  notional,
  parsePrice,
  parseQuantity,
} from "../../../src/domain/instrument.ts";
import { scaled } from "../../support/scale.ts";

const TEXT: InstrumentText = {
  exchange: "sim",
  symbol: "BTC/USDT",
  tickSize: "0.01",
  lotSize: "0.00001",
  minQuantity: "0.00003",
  minNotional: "5",
  makerFee: "0.001",
  takerFee: "0.002",
};
const BTC = createInstrument(TEXT);
const numRuns = scaled(5_000);
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe("an instrument", () => {
  it("is made of exact numbers", () => {
    expect(BTC).toEqual({
      exchange: "sim",
      symbol: "BTC/USDT",
      base: "BTC",
      quote: "USDT",
      tickSize: 10n ** 16n,
      lotSize: 10n ** 13n,
      notionalUnit: 10n ** 11n,
      minQuantity: 3,
      minNotional: 5n * 10n ** 18n,
      makerFee: 10n ** 15n,
      takerFee: 2n * 10n ** 15n,
    });
  });

  it("has one lot and no minimum value where none is given", () => {
    const { exchange, symbol, tickSize, lotSize, makerFee, takerFee } = TEXT;
    const plain = createInstrument({ exchange, symbol, tickSize, lotSize, makerFee, takerFee });
    expect(plain.minQuantity).toBe(1);
    expect(plain.minNotional).toBe(0n);
  });

  it("reads back the prices and quantities that it writes", () => {
    fc.assert(
      fc.property(whole, (value) => {
        expect(parsePrice(BTC, formatPrice(BTC, priceTicks(value)))).toBe(value);
        expect(parseQuantity(BTC, formatQuantity(BTC, quantityLots(value)))).toBe(value);
      }),
      { numRuns },
    );
  });

  it("values price times quantity exactly, as the decimals say", () => {
    expect(formatMoney(notional(BTC, parsePrice(BTC, "26076.01"), parseQuantity(BTC, "0.00383")))).toBe(
      "99.8711183",
    );
    fc.assert(
      fc.property(whole, whole, (price, lots) => {
        const value = notional(BTC, priceTicks(price), quantityLots(lots));
        expect(value * 10n ** 18n).toBe(BigInt(price) * BTC.tickSize * (BigInt(lots) * BTC.lotSize));
      }),
      { numRuns },
    );
  });

  it("keeps 0.3 at a step of 0.1 as three lots, where floats make two", () => {
    const coarse = createInstrument({ ...TEXT, lotSize: "0.1", minQuantity: "0.1" });
    expect(parseQuantity(coarse, "0.3")).toBe(3);
  });

  it("takes an order from its minimum quantity and its minimum value on", () => {
    const price = parsePrice(BTC, "100000");
    expect(isOrderable(BTC, price, quantityLots(5))).toBe(true);
    expect(isOrderable(BTC, price, quantityLots(4))).toBe(false);
    const dear = parsePrice(BTC, "10000000");
    expect(isOrderable(BTC, dear, quantityLots(3))).toBe(true);
    expect(isOrderable(BTC, dear, quantityLots(2))).toBe(false);
    expect(isOrderable({ ...BTC, minQuantity: quantityLots(0) }, dear, quantityLots(0))).toBe(false);
  });
});

describe("text that is off the grid of an instrument", () => {
  it.each(["26076.015", "0.001"])("is refused as a price: %s", (text) => {
    expect(() => parsePrice(BTC, text)).toThrow(
      expect.objectContaining({
        code: "DATA_INVALID",
        message: `${text} is not a multiple of the tick size 0.01`,
      }),
    );
  });

  it("is refused as a quantity", () => {
    expect(() => parseQuantity(BTC, "0.000015")).toThrow(
      expect.objectContaining({
        code: "DATA_INVALID",
        message: "0.000015 is not a multiple of the lot size 0.00001",
      }),
    );
  });

  it("is refused where it is beyond the safe integers", () => {
    expect(() => parsePrice(BTC, "90071992547409.93")).toThrow(
      expect.objectContaining({
        code: "DATA_INVALID",
        message: "90071992547409.93 is more than 9007199254740991 times the tick size 0.01",
      }),
    );
  });
});

describe("an instrument that makes no sense", () => {
  it.each<[string, Partial<InstrumentText>]>([
    ["a symbol without a quote", { symbol: "BTC" }],
    ["a symbol without a base", { symbol: "/USDT" }],
    ["a tick of zero", { tickSize: "0" }],
    ["a negative tick", { tickSize: "-0.01" }],
    ["a lot of zero", { lotSize: "0" }],
    ["a fee below zero", { makerFee: "-0.001" }],
    ["a fee of everything", { takerFee: "1" }],
    ["a minimum quantity between two lots", { minQuantity: "0.000015" }],
    [
      "a tick and a lot too fine for 18 places",
      { tickSize: "0.0000000001", lotSize: "0.000000001", minQuantity: "0.000000001" },
    ],
  ])("is refused as a config problem that names the symbol: %s", (_name, change) => {
    const text = { ...TEXT, ...change };
    expect(() => createInstrument(text)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(text.symbol) }),
    );
  });
});
