/** Decimals: text in, the same number out, and nothing else gets in. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ONE, divideDown, divideUp, formatDecimal, parseDecimal } from "../../../src/domain/decimal.ts";
import { hasCode } from "../../../src/domain/errors.ts";
import { scaled } from "../../support/scale.ts";

const numRuns = scaled(10_000);
const units = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });

describe("formatDecimal", () => {
  it("writes text that reads back as the same number", () => {
    fc.assert(
      fc.property(units, (value) => {
        expect(parseDecimal(formatDecimal(value))).toBe(value);
      }),
      { numRuns },
    );
  });

  it("writes the shortest plain text: no exponent, no zeros at the end, no minus zero", () => {
    fc.assert(
      fc.property(units, (value) => {
        expect(formatDecimal(value)).toMatch(/^(0|-?(0\.\d*[1-9]|[1-9]\d*(\.\d*[1-9])?))$/);
      }),
      { numRuns },
    );
  });

  it.each([
    [0n, "0"],
    [1n, "0.000000000000000001"],
    [-1n, "-0.000000000000000001"],
    [ONE, "1"],
    [-ONE - ONE / 2n, "-1.5"],
    [10n ** 30n, "1000000000000"],
  ])("writes %s units as %s", (value, text) => {
    expect(formatDecimal(value)).toBe(text);
  });
});

describe("parseDecimal", () => {
  it("reads any plain digits with up to 18 places, whatever zeros stand around them", () => {
    const digits = (least: number, most: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: least, maxLength: most });
    fc.assert(
      fc.property(
        fc.boolean(),
        digits(1, 25),
        digits(1, 18),
        fc.nat(30),
        (isNegative, whole, part, zeros) => {
          const size = BigInt(whole) * ONE + BigInt(part.padEnd(18, "0"));
          const text = `${isNegative ? "-" : ""}${whole}.${part}${"0".repeat(zeros)}`;
          expect(parseDecimal(text)).toBe(isNegative ? -size : size);
        },
      ),
      { numRuns },
    );
  });

  it.each(["12", "12.0", "+12", "012", " 12 "])("reads %j as twelve", (text) => {
    expect(parseDecimal(text)).toBe(12n * ONE);
  });

  it("reads minus zero as zero", () => {
    expect(parseDecimal("-0.0")).toBe(0n);
  });

  it.each([
    "",
    " ",
    ".",
    "-",
    "abc",
    "1e3",
    "1E-8",
    "0x10",
    "1,5",
    "1 000",
    "1_000",
    "1.2.3",
    "--1",
    "NaN",
    "Infinity",
    "12USDT",
    "٣",
    "0.0000000000000000001",
  ])("refuses %j as invalid data and names it", (text) => {
    try {
      parseDecimal(text);
    } catch (error) {
      expect(hasCode(error, "DATA_INVALID") && error.message).toContain(`"${text}"`);
      return;
    }
    expect.fail(`${text} was read`);
  });
});

describe("the divisions", () => {
  it("round down below and up above the exact quotient, by less than one unit", () => {
    const divisor = fc.bigInt({ min: 1n, max: 10n ** 20n });
    fc.assert(
      fc.property(units, divisor, (value, by) => {
        const down = divideDown(value, by);
        const up = divideUp(value, by);
        expect(down * by <= value && value < (down + 1n) * by).toBe(true);
        expect((up - 1n) * by < value && value <= up * by).toBe(true);
      }),
      { numRuns },
    );
  });
});
