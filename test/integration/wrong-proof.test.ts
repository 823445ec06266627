/** An exchange that hides an order for too long: what it executed is found all the same, and the bot halts. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { ExchangeOrder } from "../../src/exchange/exchange.ts";
import { override } from "../support/override.ts";
import { replay, replayConfig } from "../support/replay-run.ts";

/** The first buy below the first prices: the price comes by after ten minutes. */
const NEAREST = 2_690_000;

it("halts where an order that was proven absent has executed, and counts what it executed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-proof-"));
  const rows = Array.from({ length: 30 }, (_, index) => {
    const at = 1_700_000_000_000 + index * 60_000;
    return index === 10 ? `${at},27000,27000,26850,26950,1` : `${at},26950,27001,26949,27000,1`;
  });
  const candleFile = join(folder, "dip.csv");
  writeFileSync(candleFile, ["timestamp,open,high,low,close,volume", ...rows, ""].join("\n"));
  const grid = { symbol: "BTC/USDT", candleFile, lower: 26_000, upper: 28_000, grids: 20 };
  let hidden = "";
  let exchangeOrderId = "";
  let isFilled = false;
  const isShown = ({ id }: ExchangeOrder): boolean => id !== hidden || isFilled;

  const { bots, log } = await replay(await replayConfig(folder, [grid]), {
    exchange: (real) =>
      override(real, {
        placeOrder: async (request) => {
          const outcome = await real.placeOrder(request);
          if (
            hidden !== "" ||
            request.terms.type === "market" ||
            request.terms.side !== "buy" ||
            request.terms.price < NEAREST
          )
            return outcome;
          hidden = request.terms.id;
          if (outcome.kind === "accepted") exchangeOrderId = outcome.exchangeOrderId;
          return { kind: "unknown", message: "connection reset" };
        },
        findOrder: async (symbol, id) => {
          const order = await real.findOrder(symbol, id);
          return order && isShown(order) ? order : undefined;
        },
        openOrders: async (symbol) => (await real.openOrders(symbol)).filter(isShown),
        ordersSince: async (symbol, since) => (await real.ordersSince(symbol, since)).filter(isShown),
        subscribe: (symbol, listen) =>
          real.subscribe(symbol, (hint) => {
            if (hint.kind === "fill" && hint.execution.exchangeOrderId === exchangeOrderId) isFilled = true;
            else if (hint.kind !== "order" || hint.order.id !== hidden) listen(hint);
          }),
      }),
  });
  rmSync(folder, { recursive: true });

  const [bot] = bots;
  expect(isFilled).toBe(true);
  expect(log.filter(({ event }) => event === "event.order_absent").map(({ fields }) => fields["id"])).toEqual(
    [hidden],
  );
  const halts = log.filter(({ event }) => event === "bot.mode").map(({ fields }) => fields["reason"]);
  expect(halts).toEqual([`order ${hidden}: partFill while absent`]);
  expect(bot?.fills.length).toBe(bot?.exchangeFills.length);
});
