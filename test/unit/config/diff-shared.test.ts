/** The differences between two versions of a fleet's config. */
import { expect, it } from "vitest";
import { diffShared } from "../../../src/config/diff-shared.ts";

const BTC = { symbol: "BTC/USDT", price_interval: "50", stop_loss: "1000" };
const ETH = { symbol: "ETH/USDT", price_interval: "5" };
const V1 = { trading: { reconcile_interval: "60", symbols: [BTC, ETH] } };

it("names each key that came, went or changed, symbols by their name wherever they stand in the list", () => {
  const { stop_loss: _, ...less } = BTC;
  const sol = { symbol: "SOL/USDT", price_interval: "1" };
  const after = { trading: { symbols: [sol, { ...less, price_interval: "60" }], order_quantity: "30" } };

  expect(diffShared(V1, after)).toEqual([
    { key: "trading.reconcile_interval", before: "60", after: undefined },
    { key: "trading.symbols.BTC/USDT.price_interval", before: "50", after: "60" },
    { key: "trading.symbols.BTC/USDT.stop_loss", before: "1000", after: undefined },
    { key: "trading.symbols.ETH/USDT", before: ETH, after: undefined },
    { key: "trading.symbols.SOL/USDT", before: undefined, after: sol },
    { key: "trading.order_quantity", before: undefined, after: "30" },
  ]);
});

it("says of the same symbols in another order only that", () => {
  expect(diffShared(V1, V1)).toEqual([]);
  expect(diffShared(V1, { trading: { reconcile_interval: "60", symbols: [ETH, BTC] } })).toEqual([
    { key: "trading.symbols", before: ["BTC/USDT", "ETH/USDT"], after: ["ETH/USDT", "BTC/USDT"] },
  ]);
});

it("shows that a secret has changed, never the secret", () => {
  const changes = diffShared(
    {
      trading: {
        api_key: { part: "hunter2" },
        dsn: "postgres://u:hunter2@h/d",
        hook: { webhook: "https://hunter2" },
      },
    },
    {
      trading: {
        api_key: { part: "hunter3" },
        dsn: "postgres://u:hunter3@h/d",
        symbols: [{ ...BTC, secret: "hunter3" }],
      },
    },
  );

  expect(changes.map(({ key }) => key)).toEqual([
    "trading.api_key.part",
    "trading.dsn",
    "trading.hook",
    "trading.symbols",
  ]);
  expect(JSON.stringify(changes)).not.toContain("hunter");
});
