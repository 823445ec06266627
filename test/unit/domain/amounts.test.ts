/** Ticks, lots and money: made in one checked place, and rounded as the names say. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addLots,
  addMoney,
  feeOn,
  feeRate,
  formatMoney,
  money,
  parseMoney,
  priceTicks,
  quantityLots,
  shareOf,
  subtractLots,
  subtractMoney,
} from "../../../src/domain/amounts.ts";
import { ONE } from "../../../src/domain/decimal.ts";
import { scaled } from "../../support/scale.ts";

const numRuns = scaled(5_000);
const amount = fc.bigInt({ min: 0n, max: 10n ** 30n });

describe("a fee", () => {
  it("is never below the exact one and less than one unit above it", () => {
    fc.assert(
      fc.property(amount, fc.bigInt({ min: 0n, max: ONE - 1n }), (notional, rate) => {
        const fee = feeOn(money(notional), rate as ReturnType<typeof feeRate>);
        const exact = notional * rate;
        expect(fee * ONE >= exact && (fee - 1n) * ONE < exact).toBe(true);
      }),
      { numRuns },
    );
  });

  it("of 0.1 % on 1 unit is 1 unit, on 12.34 it is 0.01234", () => {
    expect(feeOn(money(1n), feeRate("0.001"))).toBe(1n);
    expect(formatMoney(feeOn(parseMoney("12.34"), feeRate("0.001")))).toBe("0.01234");
  });
});

describe("a share", () => {
  it("is rounded down by less than one unit", () => {
    fc.assert(
      fc.property(amount, fc.nat(1_000_000), fc.integer({ min: 1, max: 1_000_000 }), (of, a, b) => {
        const [part, whole] = [Math.min(a, b), Math.max(a, b)];
        const share = shareOf(money(of), quantityLots(part), quantityLots(whole));
        const exact = of * BigInt(part);
        expect(share * BigInt(whole) <= exact && exact < (share + 1n) * BigInt(whole)).toBe(true);
      }),
      { numRuns },
    );
  });

  it("given out part by part leaves nothing: the last part takes what rounding left", () => {
    fc.assert(
      fc.property(amount, fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1 }), (total, parts) => {
        let left = money(total);
        let lots = quantityLots(parts.reduce((a, b) => a + b));
        for (const part of parts) {
          left = subtractMoney(left, shareOf(left, quantityLots(part), lots));
          lots = subtractLots(lots, quantityLots(part));
        }
        expect(left).toBe(0n);
      }),
      { numRuns },
    );
  });
});

describe("ticks and lots", () => {
  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("are never %s", (value) => {
    expect(() => priceTicks(value)).toThrow(expect.objectContaining({ code: "INVARIANT" }));
    expect(() => quantityLots(value)).toThrow(expect.objectContaining({ code: "INVARIANT" }));
  });

  it("cannot be added past the safe integers", () => {
    const most = quantityLots(Number.MAX_SAFE_INTEGER);
    expect(() => addLots(most, quantityLots(1))).toThrow(expect.objectContaining({ code: "INVARIANT" }));
    expect(addLots(quantityLots(3), quantityLots(4))).toBe(7);
  });
});

describe("money", () => {
  it("adds up without losing a unit where floats would", () => {
    const sum = addMoney(parseMoney("0.1"), parseMoney("0.2"));
    expect(formatMoney(sum)).toBe("0.3");
    expect(formatMoney(subtractMoney(sum, parseMoney("0.3")))).toBe("0");
  });
});
