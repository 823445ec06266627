/** Real exchanges in the config: modes, keys, and the symbols that they are asked for. */
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load-config.ts";
import { REAL_EXCHANGES } from "../../../src/config/real-exchange-schema.ts";
import { redactConfig } from "../../../src/config/redact-config.ts";
import type { Config } from "../../../src/config/schema.ts";
import { hasCode } from "../../../src/domain/errors.ts";
import { EXCHANGES } from "../../../src/exchange/ccxt/exchange-table.ts";

const GRID = "lower: 1, upper: 2, grids: 1, investment: 9";

function load(binance: string, symbol = "BTC/USDT"): Config {
  const text = `app: { current_exchange: binance }
exchanges: { binance: { ${binance} } }
trading: { symbols: [{ symbol: ${symbol}, ${GRID} }] }`;
  return parseConfig(text, "c.yaml").config;
}

function problemOf(binance: string, symbol?: string): string {
  try {
    load(binance, symbol);
  } catch (error) {
    if (hasCode(error, "CONFIG_INVALID")) return error.message.replaceAll(/^c\.yaml:\d+: /gm, "");
    throw error;
  }
  return "";
}

describe("a real exchange in the config", () => {
  it("may be any of the exchange table", () => {
    expect(REAL_EXCHANGES.toSorted()).toEqual(EXCHANGES.map(({ id }) => id).toSorted());
  });

  it("sends nothing unless it is told to", () => {
    expect(load("").exchanges.binance?.mode).toBe("dry_run");
    expect(load("mode: live").exchanges.binance?.mode).toBe("live");
  });

  it("is the testnet where the Go project's key says so", () => {
    expect(load("testnet: true").exchanges.binance?.mode).toBe("sandbox");
    expect(load("testnet: true, mode: sandbox").exchanges.binance?.mode).toBe("sandbox");
    expect(load("testnet: false, mode: live").exchanges.binance?.mode).toBe("live");
    expect(problemOf("testnet: true, mode: live")).toBe(
      "exchanges.binance.testnet: testnet: true is mode: sandbox; leave one of the two out",
    );
  });

  it("takes fee_rate for both fees, and asks the exchange where there is none", () => {
    expect(load("fee_rate: 0.002").exchanges.binance).toMatchObject({
      maker_fee: "0.002",
      taker_fee: "0.002",
    });
    expect(load("").exchanges.binance?.maker_fee).toBeUndefined();
    expect(problemOf("maker_fee: 0.001")).toContain("give maker_fee and taker_fee together");
  });

  it("refuses half a pair of keys and every leverage, and repeats no key", () => {
    expect(problemOf("api_key: canary12345")).toBe(
      "exchanges.binance.secret_key: api_key and secret_key go together",
    );
    expect(problemOf("leverage: 5")).toBe(
      "exchanges.binance.leverage: grids trade spot markets, without leverage; remove it",
    );
    const shown = JSON.stringify(redactConfig(load("api_key: canary12345, secret_key: canary67890")));
    expect(shown).not.toContain("canary");
  });

  it.each(["BTC/USDT", "BTC-USDT", "BTCUSDT"])("trades BTC/USDT where it is written %s", (symbol) => {
    expect(load("", symbol).trading.symbols[0]).toMatchObject({ exchange: "binance", symbol: "BTC/USDT" });
  });

  it("asks for a symbol that can be read", () => {
    expect(problemOf("", "BITCOIN")).toBe('trading.symbols[0].symbol: "BITCOIN" must be written BASE/QUOTE');
  });

  it("is the only exchange of its instance", () => {
    const text = `exchanges: { binance: {}, sim: { balances: {}, symbols: { ETH/USDT: { tick_size: 1, lot_size: 1, market: { type: walk, start_price: 5, step: 1 } } } } }
trading: { symbols: [{ symbol: ETH/USDT, ${GRID} }, { symbol: BTC/USDT, exchange: binance, ${GRID} }] }`;

    expect(() => parseConfig(text, "c.yaml")).toThrow("an instance trades on one exchange");
  });

  it.each([
    ["urls: { rest: ftp://x, ws: ws://x }", "exchanges.binance.urls.rest: must be written https://host:port"],
    ["urls: { rest: http://x, ws: http://x }", "exchanges.binance.urls.ws: must be written wss://host:port"],
    ["request_window_ms: 60000", "must be a whole number from 200 to 10000"],
    ["mode: real", "must be dry_run or paper or sandbox or live"],
  ])("refuses %s", (text, reason) => {
    expect(problemOf(text)).toContain(reason);
  });
});
