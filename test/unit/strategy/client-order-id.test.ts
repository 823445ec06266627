/** Client order ids: one name for one order, readable back, and nobody else's. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BotCode, Generation, Side, SlotNumber } from "../../../src/domain/ids.ts";
import { INITIAL_PURCHASE_SLOT, botCode } from "../../../src/domain/ids.ts";
import { decodeClientOrderId, encodeClientOrderId } from "../../../src/strategy/client-order-id.ts";
import { scaled } from "../../support/scale.ts";

const ALPHABET = [..."0123456789abcdefghijklmnopqrstuvwxyz"];
const bot = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 10, maxLength: 10 }).map(botCode);
const slot = fc.oneof(
  fc.nat(2_000),
  fc.integer({ min: INITIAL_PURCHASE_SLOT, max: 36 ** 5 - 1 }),
) as fc.Arbitrary<SlotNumber>;
const side = fc.constantFrom<Side[]>("buy", "sell");
const generation = fc.integer({ min: 0, max: 36 ** 7 - 1 }) as fc.Arbitrary<Generation>;
const numRuns = scaled(10_000);

describe("a client order id", () => {
  it("is read back as the order that it was made for", () => {
    fc.assert(
      fc.property(bot, slot, side, generation, (...name) => {
        const [code, number, which, count] = name;
        expect(decodeClientOrderId(encodeClientOrderId(...name))).toEqual({
          bot: code,
          slot: number,
          side: which,
          generation: count,
        });
      }),
      { numRuns },
    );
  });

  it("has 25 letters and digits, whatever it names: at most the 28 that every exchange takes", () => {
    fc.assert(
      fc.property(bot, slot, side, generation, (...name) => {
        expect(encodeClientOrderId(...name)).toMatch(/^[0-9a-z]{25}$/);
      }),
      { numRuns },
    );
  });

  it("differs as soon as one part of the name differs", () => {
    const name = fc.tuple(
      bot,
      fc.nat(3) as fc.Arbitrary<SlotNumber>,
      side,
      fc.nat(3) as fc.Arbitrary<Generation>,
    );
    fc.assert(
      fc.property(name, name, (a, b) => {
        const isSameName = a.every((part, i) => part === b[i]);
        expect(encodeClientOrderId(...a) === encodeClientOrderId(...b)).toBe(isSameName);
      }),
      { numRuns },
    );
  });

  it("never changes between versions: orders that rest are found by it", () => {
    const code = "abcdefghij" as BotCode;
    expect(encodeClientOrderId(code, 17 as SlotNumber, "buy", 1 as Generation)).toBe(
      "qmabcdefghij0000hb0000001",
    );
    expect(encodeClientOrderId(code, INITIAL_PURCHASE_SLOT, "sell", 46655 as Generation)).toBe(
      "qmabcdefghijzq0aos0000zzz",
    );
  });

  it("is refused where a number is too large for its place", () => {
    const code = "abcdefghij" as BotCode;
    const refused = expect.objectContaining({ code: "INVARIANT" });
    expect(() => encodeClientOrderId(code, (36 ** 5) as SlotNumber, "buy", 1 as Generation)).toThrow(refused);
    expect(() => encodeClientOrderId(code, 1 as SlotNumber, "buy", (36 ** 7) as Generation)).toThrow(refused);
  });
});

describe("a foreign id", () => {
  it.each([
    "",
    "web_0123456789abcdef",
    "x-A6SIDXVS1234567890123456",
    "qmabcdefghij0000hb000001",
    "qmabcdefghij0000hb00000011",
    "qmabcdefghij0000hx0000001",
    "QMABCDEFGHIJ0000HB0000001",
    "xyabcdefghij0000hb0000001",
    "qmabcdefghij0000hb0000001\n",
    " qmabcdefghij0000hb000001",
    "qmabcdefgh-j0000hb0000001",
  ])("is nobody's: %j", (text) => {
    expect(decodeClientOrderId(text)).toBeUndefined();
  });

  it("is not read as ours unless it is exactly one that we would write", () => {
    const nearly = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 20, maxLength: 26 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          nearly,
          nearly.map((text) => `qm${text}`),
        ),
        (text) => {
          const name = decodeClientOrderId(text);
          if (!name) return;
          expect(encodeClientOrderId(name.bot, name.slot, name.side, name.generation)).toBe(text);
        },
      ),
      { numRuns },
    );
  });
});
