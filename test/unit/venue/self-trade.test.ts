/** What happens where an account would trade with itself. */
import { describe, expect, it } from "vitest";
import type { SelfTradeMode } from "../../../src/venue/matching/commands.ts";
import type { VenueKit } from "./venue-kit.ts";
import { createKit } from "./venue-kit.ts";

/** Bob sells at 100 and 102, ann at 101; then ann buys 30 up to 105. */
function cross(selfTrade?: SelfTradeMode): VenueKit {
  const kit = createKit(selfTrade ? { selfTrade } : {});
  kit.sell(100, 10, { account: "bob" });
  kit.sell(101, 10, { id: "own" });
  kit.sell(102, 10, { account: "bob" });
  kit.buy(105, 30, { id: "taker" });
  return kit;
}

describe("an order that meets one of its own account", () => {
  it("goes on where the resting one gives way, which is so unless said otherwise", () => {
    for (const kit of [cross("expire_maker"), cross()]) {
      expect(kit.order("own")).toBe("expired 0/10");
      expect(kit.order("taker")).toBe("open 20/30");
      expect(kit.fills()).toEqual(["1 buy 10@100 taker 2", "2 buy 10@102 taker 2.04"]);
      // 202 and their fees are paid, the base is free again, 10 lots at 105 and 2 % are locked.
      expect(kit.holdings()).toEqual({ BTC: "102+0", USDT: "9686.86+107.1" });
    }
  });

  it("stops there and expires where the newer one gives way", () => {
    const kit = cross("expire_taker");

    expect(kit.order("own")).toBe("open 0/10");
    expect(kit.order("taker")).toBe("expired 10/30");
    expect(kit.holdings()).toEqual({ BTC: "100+1", USDT: "9898+0" });
  });

  it("ends together with it where both give way", () => {
    const kit = cross("expire_both");

    expect(kit.order("own")).toBe("expired 0/10");
    expect(kit.order("taker")).toBe("expired 10/30");
    expect(kit.holdings()).toEqual({ BTC: "101+0", USDT: "9898+0" });
  });

  it("trades with it where neither gives way, and pays both fees", () => {
    const kit = cross("none");

    expect(kit.order("own")).toBe("filled 10/10");
    expect(kit.order("taker")).toBe("filled 30/30");
    expect(kit.fills()).toEqual([
      "1 buy 10@100 taker 2",
      "2 sell 10@101 maker 1.01",
      "2 buy 10@101 taker 2.02",
      "3 buy 10@102 taker 2.04",
    ]);
    expect(kit.holdings()).toEqual({ BTC: "102+0", USDT: "9790.93+0" });
  });

  it("that is post-only is refused in every mode, and nothing gives way", () => {
    for (const selfTrade of ["none", "expire_taker", "expire_maker", "expire_both"] as const) {
      const kit = createKit({ selfTrade });
      kit.sell(100, 10, { id: "own" });

      expect(kit.buy(100, 10, { type: "limit_maker" })).toMatchObject({ reason: "would_cross" });
      expect(kit.order("own")).toBe("open 0/10");
    }
  });

  it("makes nothing give way that its own limit does not reach", () => {
    const kit = createKit();
    kit.sell(101, 10, { id: "own" });

    kit.buy(100, 10);

    expect(kit.order("own")).toBe("open 0/10");
  });
});
