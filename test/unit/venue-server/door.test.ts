/** Who is let in: addresses and ranges of a key, and signatures that were not used before. */
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/domain/ids.ts";
import { AddressList } from "../../../src/venue/server/address-list.ts";
import { ReplayGuard } from "../../../src/venue/server/replay-guard.ts";

describe("a list of addresses", () => {
  it.each([
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["203.0.113.64/26", "203.0.113.127", true],
    ["203.0.113.64/26", "203.0.113.128", false],
    ["0.0.0.0/0", "198.51.100.7", true],
    ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", true],
    ["2001:db8::/32", "2001:db8:ffff::9", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["10.0.0.0/8", "::1", false],
    ["::/0", "10.0.0.1", true],
    ["10.0.0.0/8", "", false],
  ])("%s: %j is on it: %s", (range, ip, isOn) => {
    expect(new AddressList(["192.0.2.1", range]).has(ip)).toBe(isOn);
  });

  it.each(["10.0.0", "10.0.0.0/33", "2001:db8::/129", "localhost", "", "10.0.0.0/", "10.0.0.0/8/8", "::/-1"])(
    "refuses %j, which is neither an address nor a range",
    (text) => {
      expect(() => new AddressList([text])).toThrow(/neither an IP address nor a range/);
    },
  );
});

describe("the guard against replays", () => {
  const at = (ms: number): Instant => ms as Instant;

  it("lets each signature in once, however it is written", () => {
    const guard = new ReplayGuard(0);
    expect(guard.use("ab01", 10, at(100), at(20))).toBe(true);
    expect(guard.use("AB01", 10, at(100), at(20))).toBe(false);
    expect(guard.use("ab02", 10, at(100), at(20))).toBe(true);
  });

  it("forgets only those whose time is over", () => {
    const guard = new ReplayGuard(0);
    const signature = (number: number): string => number.toString(16).padStart(64, "0");
    for (let second = 0; second < 1_000; second += 1)
      guard.use(signature(second), second, at(1_000 * (second + 50)), at(1_000 * second));
    expect(guard.size).toBe(51);
    expect(guard.use(signature(999), 999, at(1_049_000), at(1_000_000))).toBe(false);
  });

  it("refuses what was signed before it began, because it could have been used before", () => {
    const guard = new ReplayGuard(1_000);
    expect(() => guard.use("old", 999, at(5_000), at(1_100))).toThrow(/outside of the recvWindow/);
    expect(guard.use("new", 1_000, at(5_000), at(1_100))).toBe(true);
  });
});
