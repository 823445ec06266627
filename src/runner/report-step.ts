/** Tells the log and the metrics what a stored step has changed. */
import { formatMoney } from "../domain/amounts.ts";
import { formatPrice, formatQuantity, notional } from "../domain/instrument.ts";
import type { StoreRecord } from "../domain/records.ts";
import { WAITING_FOR_BALANCE } from "../strategy/apply-order.ts";
import { decodeClientOrderId } from "../strategy/client-order-id.ts";
import type { BotContext } from "./bot-context.ts";

/** What a comparison with the exchange's lists, or a late word of it, put right. */
const RECONCILE_EVENTS: ReadonlySet<string> = new Set([
  "order_adopted",
  "order_remembered",
  "order_orphaned",
  "order_absent",
  "late_fill",
  "balance_short",
]);

export function reportStep(context: BotContext, records: readonly StoreRecord[]): void {
  for (const record of records) reportRecord(context, record);
}

function reportRecord(context: BotContext, record: StoreRecord): void {
  const { log, metrics } = context.ports;
  const { instrument, market } = context.bot;
  const { exchange, symbol } = market;
  switch (record.kind) {
    case "fill": {
      const { id, side, tradeId, price, quantity, fee, feeAsset, liquidity } = record.fill;
      const slot = decodeClientOrderId(id)?.slot;
      const labels = { exchange, symbol, side };
      const value = notional(instrument, price, quantity);
      metrics.count("quantmesh_fills_total", labels);
      metrics.count("quantmesh_trade_volume_total", labels, Number(formatQuantity(instrument, quantity)));
      metrics.count("quantmesh_trade_amount_total", labels, Number(formatMoney(value)));
      log.info(
        {
          symbol,
          side,
          slot,
          price: formatPrice(instrument, price),
          quantity: formatQuantity(instrument, quantity),
          fee: `${formatMoney(fee)} ${feeAsset}`,
          liquidity,
          tradeId,
          id,
        },
        "order.filled",
      );
      return;
    }
    case "trade": {
      const { slot, origin, quantity, profit } = record.trade;
      // Lots bought at the start have no buy below them: their sale is no cycle, in the totals as in the log.
      const isCycle = origin === "grid";
      if (isCycle) metrics.count("quantmesh_trade_count_total", { exchange, symbol });
      log.info(
        {
          symbol,
          slot,
          quantity: formatQuantity(instrument, quantity),
          profit: `${formatMoney(profit)} ${instrument.quote}`,
        },
        isCycle ? "trade.completed" : "inventory.sold",
      );
      return;
    }
    case "order":
      log.debug({ symbol, id: record.id, status: record.status }, "order.changed");
      return;
    case "mode":
      if (record.reason === "stop_loss" || record.reason === "take_profit") {
        metrics.count("quantmesh_risk_control_trigger_count_total", {
          exchange,
          symbol,
          reason: record.reason,
        });
      }
      log.warn({ symbol, mode: record.mode, reason: record.reason }, "bot.mode");
      return;
    case "event":
      if (record.type === "margin_insufficient") {
        metrics.count("quantmesh_risk_control_trigger_count_total", {
          exchange,
          symbol,
          reason: record.type,
        });
      }
      if (record.type === WAITING_FOR_BALANCE) {
        metrics.count("quantmesh_balance_waits_total", { exchange, symbol });
      }
      if (RECONCILE_EVENTS.has(record.type)) {
        metrics.count("quantmesh_reconciliation_diff_found_total", { exchange, symbol, type: record.type });
      }
      log.info({ symbol, ...record.detail }, `event.${record.type}`);
      return;
    case "totals":
    case "lateProgress":
    case "slotOpened":
    case "slot":
    case "adoptedOrder":
    case "initialDone":
      return;
  }
}
