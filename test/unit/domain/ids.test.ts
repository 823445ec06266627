/** Ids: made in one checked place. */
import { describe, expect, it } from "vitest";
import {
  CLOSE_SLOT,
  INITIAL_PURCHASE_SLOT,
  botCode,
  generation,
  instant,
  slotName,
  slotNumber,
} from "../../../src/domain/ids.ts";

const REFUSED = expect.objectContaining({ code: "INVARIANT" });

describe("the makers of ids", () => {
  it.each(["", "short", "abcdefghijk", "ABCDEFGHIJ", "abc-efghij", "abcdefghij\n", "äbcdefghij"])(
    "refuse %j as a bot code",
    (text) => {
      expect(() => botCode(text)).toThrow(REFUSED);
    },
  );

  it("take ten digits and small letters as a bot code", () => {
    expect(botCode("0a1b2c3d4z")).toBe("0a1b2c3d4z");
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])("refuse %s as a slot or a generation", (value) => {
    expect(() => slotNumber(value)).toThrow(REFUSED);
    expect(() => generation(value)).toThrow(REFUSED);
  });

  it("refuse an instant that is no number", () => {
    expect(() => instant(Number.NaN)).toThrow(REFUSED);
    expect(instant(1_693_018_800_000)).toBe(1_693_018_800_000);
  });

  it("give the initial purchase a slot number that no lattice reaches", () => {
    expect(INITIAL_PURCHASE_SLOT).toBeGreaterThanOrEqual(60_000_000);
  });

  it("show people what the orders of no lattice slot are for", () => {
    expect([slotName(INITIAL_PURCHASE_SLOT), slotName(CLOSE_SLOT), slotName(7)]).toEqual([
      "initial",
      "close",
      "7",
    ]);
  });
});
