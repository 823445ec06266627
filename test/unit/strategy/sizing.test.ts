/** How much each slot trades, and which grids are refused: with the numbers and what to do. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceTicks } from "../../../src/domain/amounts.ts";
import { formatMoney } from "../../../src/domain/amounts.ts";
import type { SlotTerms } from "../../../src/domain/grid.ts";
import type { InstrumentText } from "../../../src/domain/instrument.ts";
import { createInstrument } from "../../../src/domain/instrument.ts";
import { rangeLattice } from "../../../src/strategy/lattice.ts";
import type { RangeSettings } from "../../../src/strategy/settings.ts";
import { canonicalSettings } from "../../../src/strategy/settings.ts";
import { initialEquity, sizeSlots } from "../../../src/strategy/sizing.ts";
import { scaled } from "../../support/scale.ts";
import { INSTRUMENT, SETTINGS } from "./strategy-kit.ts";

const TEXT: InstrumentText = {
  exchange: "sim",
  symbol: "BTC/USDT",
  tickSize: "1",
  lotSize: "0.001",
  minNotional: "5",
  makerFee: "0.001",
  takerFee: "0.002",
};

function slotsOf(
  change: Partial<RangeSettings>,
  startPrice = 125,
  text: Partial<InstrumentText> = {},
): readonly SlotTerms[] {
  const settings = { ...SETTINGS, ...change };
  const instrument = createInstrument({ ...TEXT, ...text });
  return sizeSlots(settings, instrument, rangeLattice(settings, instrument), startPrice as PriceTicks);
}

describe("the slots of a grid", () => {
  it("buy at their price and sell at the next, numbered from 0", () => {
    expect(slotsOf({}).map(({ slot, buyPrice, sellPrice }) => [slot, buyPrice, sellPrice])).toEqual([
      [0, 100, 110],
      [1, 110, 120],
      [2, 120, 130],
      [3, 130, 140],
    ]);
  });

  it("trade the floor to the lot of order_quantity divided by their buy price", () => {
    const slots = slotsOf({ amount: { kind: "order_quantity", value: "10" } });
    // 10/100, 10/110 = 0.0909…, 10/120 = 0.0833…, 10/130 = 0.0769….
    expect(slots.map(({ quantity }) => quantity)).toEqual([100, 90, 83, 76]);
  });

  it("take an order_quantity that divides exactly in full", () => {
    const slots = slotsOf({ amount: { kind: "order_quantity", value: "14.3" } });
    expect(slots[1]?.quantity).toBe(130);
    expect(slots[3]?.quantity).toBe(110);
  });

  it("trade the floor to the lot of base_quantity, all the same", () => {
    const slots = slotsOf({ amount: { kind: "base_quantity", value: "0.0999999" } });
    expect(slots.map(({ quantity }) => quantity)).toEqual([99, 99, 99, 99]);
  });
});

describe("an investment", () => {
  /** Σ p·q·(1 + maker) of slots that begin with a buy + Σ P·q·(1 + taker) of those that hold, × 1e6 (fees: ppm). */
  const costOf = (
    start: number,
    initial: "buy" | "none",
    lots: number,
    ppm: readonly [number, number],
  ): bigint =>
    [100, 110, 120, 130].reduce((sum, price) => {
      const holds = initial === "buy" && price >= start;
      const paid = BigInt(holds ? start : price) * BigInt(lots);
      return sum + paid * BigInt(1_000_000 + (holds ? ppm[1] : ppm[0]));
    }, 0n);

  it("is spent on the largest common quantity that it covers with all fees: one lot more is too much", () => {
    const ppm = fc.constantFrom(0, 75, 333, 1_000, 20_000);
    fc.assert(
      fc.property(
        fc.integer({ min: 30, max: 5_000_000 }),
        fc.integer({ min: 90, max: 150 }),
        fc.constantFrom("buy" as const, "none" as const),
        fc.tuple(ppm, ppm),
        (cents, start, initial, fees) => {
          const fee = (of: number): string => `0.${of.toString().padStart(6, "0")}`;
          const amount = { kind: "investment", value: `${cents}.37` } as const;
          const slots = slotsOf({ amount, initial }, start, {
            makerFee: fee(fees[0]),
            takerFee: fee(fees[1]),
          });
          const [lots = 0] = slots.map(({ quantity }) => quantity);
          expect(slots.every(({ quantity }) => quantity === lots)).toBe(true);
          // Lots are thousandths and the investment hundredths.
          const budget = (BigInt(cents) * 100n + 37n) * 10n * 1_000_000n;
          expect(costOf(start, initial, lots, fees) <= budget).toBe(true);
          expect(costOf(start, initial, lots + 1, fees) > budget).toBe(true);
        },
      ),
      { numRuns: scaled(10_000) },
    );
  });

  it("that is exactly the cost of a quantity buys that quantity, and a unit less buys a lot less", () => {
    // (100 + 110 + 120)·0.1·1.001 + 125·0.1·1.002 = 45.558.
    const exact = slotsOf({ amount: { kind: "investment", value: "45.558" } });
    expect(exact[0]?.quantity).toBe(100);
    const less = slotsOf({ amount: { kind: "investment", value: "45.557999999999999999" } });
    expect(less[0]?.quantity).toBe(99);
  });
});

describe("the initial equity", () => {
  it("is the buys with the maker fee and the holdings at the start price with the taker fee", () => {
    const equity = (startPrice: number, initial: "buy" | "none"): string =>
      formatMoney(initialEquity({ initial }, INSTRUMENT, slotsOf({}, startPrice), startPrice as PriceTicks));
    expect(equity(125, "buy")).toBe("45.558");
    // 46 · 1.001: nothing is bought at the start.
    expect(equity(125, "none")).toBe("46.046");
    // A price on a level holds that level: 10 + 11 rest, 12 and 13 are bought at 120.
    expect(equity(120, "buy")).toBe("45.069");
  });
});

describe("a grid that cannot trade is refused as a config problem", () => {
  const refusal = (change: Partial<RangeSettings>, text: Partial<InstrumentText> = {}): string => {
    try {
      slotsOf(change, 125, text);
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      return (error as Error).message;
    }
    return expect.fail("it was accepted");
  };

  it.each(["order_quantity", "base_quantity", "investment"] as const)(
    "where %s gives more lots than can be counted",
    (kind) => {
      const message = refusal({ amount: { kind, value: "9".repeat(18) } });
      expect(message).toContain(`${kind} ${"9".repeat(18)} is too large`);
    },
  );

  it("where a slot is under one lot, with what it gives, the least, and what to raise", () => {
    const message = refusal({ amount: { kind: "order_quantity", value: "0.129" } }, { minNotional: "0" });
    expect(message).toContain("order_quantity 0.129 gives 0 BTC at 130");
    expect(message).toContain("0.001 BTC");
    expect(message).toMatch(/raise order_quantity or use fewer grids/);
  });

  it("where a slot is under the exchange's minimum quantity", () => {
    const message = refusal({ amount: { kind: "base_quantity", value: "0.1" } }, { minQuantity: "0.2" });
    expect(message).toContain("gives 0.1 BTC");
    expect(message).toContain("0.2 BTC");
    expect(message).toContain("raise base_quantity");
  });

  it("where a slot is under the minimum notional, with both values", () => {
    const message = refusal({ amount: { kind: "base_quantity", value: "0.049" } });
    expect(message).toContain("4.9 USDT at 100");
    expect(message).toContain("minimum notional of 5 USDT");
    expect(message).toContain("raise base_quantity or use fewer grids");
  });

  it("but not where it is exactly the minimum notional", () => {
    expect(slotsOf({ amount: { kind: "base_quantity", value: "0.05" } })[0]?.quantity).toBe(50);
  });

  it("where an investment is too small for one lot in each slot", () => {
    expect(refusal({ amount: { kind: "investment", value: "0.4" } })).toContain("raise investment");
  });

  it.each(["0", "-10"])("where the amount is %s", (value) => {
    for (const kind of ["order_quantity", "base_quantity", "investment"] as const) {
      expect(refusal({ amount: { kind, value } })).toContain(kind);
    }
  });

  it("where a cell earns less than two maker fees, with the cell, the fee and what to change", () => {
    const message = refusal({}, { makerFee: "0.04" });
    expect(message).toContain("120 – 130");
    expect(message).toContain("0.04");
    expect(message).toMatch(/fewer grids than 4 or a wider range/);
  });

  it("where a cell earns exactly nothing, and not where it earns a little", () => {
    // 300·(1 − f) = 200·(1 + f) at f = 0.2.
    const cell = { lower: "200", upper: "300", grids: 1 };
    expect(refusal(cell, { makerFee: "0.2" })).toContain("200 – 300");
    expect(slotsOf(cell, 125, { makerFee: "0.199999999999999999" })).toHaveLength(1);
  });
});

describe("the settings as text", () => {
  it("are equal exactly where the grids are", () => {
    const { initial, amount, spacing, grids, upper, lower, lattice } = SETTINGS;
    const shuffled: RangeSettings = { initial, amount, spacing, grids, upper, lower, lattice };
    expect(canonicalSettings(shuffled)).toBe(canonicalSettings(SETTINGS));
    const others: Partial<RangeSettings>[] = [
      { lower: "101" },
      { upper: "141" },
      { grids: 5 },
      { spacing: "geometric" },
      { initial: "none" },
      { amount: { kind: "base_quantity", value: "0.2" } },
      { amount: { kind: "investment", value: "0.1" } },
    ];
    const texts = others.map((change) => canonicalSettings({ ...SETTINGS, ...change }));
    expect(new Set([canonicalSettings(SETTINGS), ...texts]).size).toBe(others.length + 1);
  });
});
