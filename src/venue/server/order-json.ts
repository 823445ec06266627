/** Orders, fills and cancels in the shapes that Binance answers with. */
import type { Execution } from "../../domain/fill.ts";
import type { Instant } from "../../domain/ids.ts";
import { notional } from "../../domain/instrument.ts";
import type { OrderType } from "../../domain/order.ts";
import type { TimeInForce } from "../matching/commands.ts";
import type { OrderView } from "../matching/order-history.ts";
import type { Listing } from "./listing.ts";
import { moneyText, priceText, quantityText } from "./listing.ts";
import type { OrderNotes } from "./order-notes.ts";

export const ZERO_TEXT = "0.00000000";

export const TYPE_NAMES: Readonly<Record<OrderType, string>> = {
  limit: "LIMIT",
  limit_maker: "LIMIT_MAKER",
  market: "MARKET",
};

export function statusName(order: OrderView, timeInForce: TimeInForce): string {
  switch (order.status) {
    case "open":
      return order.executed > 0 ? "PARTIALLY_FILLED" : "NEW";
    case "filled":
      return "FILLED";
    case "canceled":
      return "CANCELED";
    case "expired":
      // Only meeting an order of its own account ends one that was to rest.
      return order.type !== "market" && timeInForce === "GTC" ? "EXPIRED_IN_MATCH" : "EXPIRED";
  }
}

/** The limit, or zero for a market order. */
export function limitText(listing: Listing, { type, price }: OrderView): string {
  return type === "market" ? ZERO_TEXT : priceText(listing, price);
}

/** An order as queries show it. */
export function orderText(listing: Listing, order: OrderView, notes: OrderNotes): string {
  const { exchangeOrderId, createdAt, status } = order;
  return `{${termsText(listing, order, notes)},"stopPrice":"${ZERO_TEXT}","icebergQty":"${ZERO_TEXT}","time":${createdAt},"updateTime":${notes.updatedAt(exchangeOrderId) ?? createdAt},"isWorking":${status === "open" || order.type !== "market"},"workingTime":${createdAt},"origQuoteOrderQty":"${ZERO_TEXT}","selfTradePreventionMode":"EXPIRE_MAKER"}`;
}

export type ResponseType = "ACK" | "RESULT" | "FULL";

/** The answer to a new order. */
export function placedText(
  listing: Listing,
  order: OrderView,
  fills: readonly Execution[],
  notes: OrderNotes,
  type: ResponseType,
  at: Instant,
): string {
  const { exchangeOrderId, id } = order;
  if (type === "ACK") {
    return `{"symbol":"${listing.id}","orderId":${exchangeOrderId},"orderListId":-1,"clientOrderId":"${id ?? ""}","transactTime":${at}}`;
  }
  const result = `{${termsText(listing, order, notes)},"transactTime":${at},"origQuoteOrderQty":"${ZERO_TEXT}","workingTime":${at},"selfTradePreventionMode":"EXPIRE_MAKER"`;
  if (type === "RESULT") return `${result}}`;
  const parts = fills.map(
    ({ price, quantity, fee, feeAsset, tradeId }) =>
      `{"price":"${priceText(listing, price)}","qty":"${quantityText(listing, quantity)}","commission":"${moneyText(fee)}","commissionAsset":"${feeAsset}","tradeId":${tradeId}}`,
  );
  return `${result},"fills":[${parts.join(",")}]}`;
}

/** The answer to a cancel; `cancelId` names the cancel itself. */
export function canceledText(
  listing: Listing,
  order: OrderView,
  cancelId: string,
  notes: OrderNotes,
  at: Instant,
): string {
  return `{"origClientOrderId":"${order.id ?? ""}",${termsText(listing, order, notes, cancelId)},"transactTime":${at},"origQuoteOrderQty":"${ZERO_TEXT}","selfTradePreventionMode":"EXPIRE_MAKER"}`;
}

/** One row of the account's trades. */
export function tradeText(listing: Listing, execution: Execution): string {
  const { tradeId, exchangeOrderId, price, quantity, fee, feeAsset, at, side, liquidity } = execution;
  const value = moneyText(notional(listing.instrument, price, quantity));
  return `{"symbol":"${listing.id}","id":${tradeId},"orderId":${exchangeOrderId},"orderListId":-1,"price":"${priceText(listing, price)}","qty":"${quantityText(listing, quantity)}","quoteQty":"${value}","commission":"${moneyText(fee)}","commissionAsset":"${feeAsset}","time":${at},"isBuyer":${side === "buy"},"isMaker":${liquidity === "maker"},"isBestMatch":true}`;
}

function termsText(
  listing: Listing,
  order: OrderView,
  notes: OrderNotes,
  clientOrderId: string = order.id ?? "",
): string {
  const { exchangeOrderId, quantity, executed, quote, type, side } = order;
  const timeInForce = notes.timeInForce(exchangeOrderId);
  return `"symbol":"${listing.id}","orderId":${exchangeOrderId},"orderListId":-1,"clientOrderId":"${clientOrderId}","price":"${limitText(listing, order)}","origQty":"${quantityText(listing, quantity)}","executedQty":"${quantityText(listing, executed)}","cummulativeQuoteQty":"${moneyText(quote)}","status":"${statusName(order, timeInForce)}","timeInForce":"${timeInForce}","type":"${TYPE_NAMES[type]}","side":"${side === "buy" ? "BUY" : "SELL"}"`;
}
