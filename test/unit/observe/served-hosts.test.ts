/** Whom the web server answers, by the Host header. */
import { describe, expect, it } from "vitest";
import { servedHosts } from "../../../src/observe/served-hosts.ts";

describe("servedHosts", () => {
  const isServed = servedHosts(["localhost", "Bots.Example.org"]);

  it.each([
    "localhost",
    "LOCALHOST:28888",
    "bots.example.org",
    "bots.example.org:443",
    "192.0.2.7",
    "192.0.2.7:28888",
    "[::1]",
    "[2001:db8::7]:28888",
  ])("answers to %s", (host) => {
    expect(isServed(host)).toBe(true);
  });

  it.each([
    undefined,
    "",
    "evil.example",
    "bots.example.org.evil.example",
    "192.0.2.7.evil.example",
    "192.0.2.7:x",
    "1.2.3",
    "0x7f000001",
    "2130706433",
    "[192.0.2.7]",
    "[::1].evil.example",
    "::1",
  ])("does not answer to %s", (host) => {
    expect(isServed(host)).toBe(false);
  });
});
