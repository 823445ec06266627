/** The nearest known key of a misspelt one. */
import { describe, expect, it } from "vitest";
import { nearestKey } from "../../../src/config/nearest-key.ts";

const KEYS = ["order_quantity", "base_quantity", "lower", "upper", "id"];

describe("nearestKey", () => {
  it.each([
    ["orderquantity", "order_quantity"],
    ["orderQuantity", "order_quantity"],
    ["LOWER", "lower"],
    ["uper", "upper"],
    ["base_quantiyt", "base_quantity"],
  ])("takes %s for %s", (key, meant) => {
    expect(nearestKey(key, KEYS)).toBe(meant);
  });

  it("prefers the nearer of two similar keys", () => {
    expect(nearestKey("upperr", ["lower", "upper"])).toBe("upper");
  });

  it.each(["leverage", "x", ""])("finds nothing near %j", (key) => {
    expect(nearestKey(key, KEYS)).toBeUndefined();
  });
});
