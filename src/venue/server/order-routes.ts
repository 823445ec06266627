/** Placing, cancelling and finding orders. */
import { randomBytes } from "node:crypto";
import type { PriceTicks } from "../../domain/amounts.ts";
import { priceTicks } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Execution } from "../../domain/fill.ts";
import type { ClientOrderId, Side } from "../../domain/ids.ts";
import type { OrderType } from "../../domain/order.ts";
import type { TimeInForce } from "../matching/commands.ts";
import type { OrderView } from "../matching/order-history.ts";
import { ApiError, badOrderType, badSide, badTimeInForce, duplicateOrder } from "./api-error.ts";
import { eitherMandatory, filterFailure, illegalCharacters, insufficientBalance } from "./api-error.ts";
import { invalidParameter, noSuchOrder, notRequired, outsideWindow } from "./api-error.ts";
import { unknownOrder, wouldTake } from "./api-error.ts";
import type { Listing } from "./listing.ts";
import { readPrice, readQuantity } from "./listing.ts";
import type { ResponseType } from "./order-json.ts";
import { canceledText, orderText, placedText } from "./order-json.ts";
import type { Params } from "./params.ts";
import { optional, optionalInteger, required } from "./params.ts";
import type { Floor, SignedQuestion, SignedRoute } from "./route.ts";
import { listingIn } from "./route.ts";
import type { Happening } from "./venue-world.ts";

export function orderRoutes(floor: Floor): readonly SignedRoute[] {
  return [
    {
      method: "POST",
      path: "/api/v3/order",
      access: "trade",
      weight: 1,
      countsOrders: true,
      answer: (question) => place(floor, question),
    },
    {
      method: "DELETE",
      path: "/api/v3/order",
      access: "trade",
      weight: 1,
      answer: (question) => cancel(floor, question),
    },
    {
      method: "GET",
      path: "/api/v3/order",
      access: "read",
      weight: 4,
      answer: (question) => {
        const listing = listingIn(floor.listings, question.params);
        const order = findOrder(question, listing);
        if (!order) throw noSuchOrder();
        return orderText(listing, order, floor.notes);
      },
    },
    {
      method: "POST",
      path: "/api/v3/order/test",
      access: "trade",
      weight: 1,
      answer: ({ params }) => {
        readTerms(floor, listingIn(floor.listings, params), params);
        return "{}";
      },
    },
    {
      method: "DELETE",
      path: "/api/v3/openOrders",
      access: "trade",
      weight: 1,
      answer: (question) => cancelAll(floor, question),
    },
  ];
}

interface Terms {
  readonly id: ClientOrderId;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly price: PriceTicks;
  readonly quantity: ReturnType<typeof readQuantity>;
  readonly response: ResponseType;
}

function place(floor: Floor, { params, signed, now }: SignedQuestion): string {
  const listing = listingIn(floor.listings, params);
  const { response, id, side, type, timeInForce, price, quantity } = readTerms(floor, listing, params);
  const { key, validUntil } = signed;
  const happening = floor.world.place(
    {
      account: key.account,
      key: key.key,
      symbol: listing.symbol,
      id,
      side,
      type,
      price,
      quantity,
      timeInForce,
      validUntil,
    },
    now,
  );
  const { effects, command } = happening;
  if (effects.outcome !== "accepted" || effects.order === undefined) throw refusalOf(happening);
  const order = lastViewOf(happening, effects.order);
  const fills = effects.fills.length === 0 ? NO_FILLS : fillsOf(happening, effects.order);
  return placedText(listing, order, fills, floor.notes, response, command.time);
}

const NO_FILLS: readonly Execution[] = [];
const CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$";
const UNSUPPORTED: Readonly<Record<string, string>> = {
  STOP_LOSS: "Stop loss",
  STOP_LOSS_LIMIT: "Stop loss limit",
  TAKE_PROFIT: "Take profit",
  TAKE_PROFIT_LIMIT: "Take profit limit",
};

function readTerms(floor: Floor, listing: Listing, params: Params): Terms {
  const side = sideOf(required(params, "side"));
  const type = typeOf(required(params, "type"));
  const quantity = readQuantity(listing, required(params, "quantity"));
  return {
    id: clientIdOf(params, "newClientOrderId"),
    side,
    type,
    timeInForce: timeInForceOf(type, params),
    price: priceOf(floor, listing, type, params),
    quantity,
    response: responseOf(type, params),
  };
}

function sideOf(text: string): Side {
  if (text === "BUY") return "buy";
  if (text === "SELL") return "sell";
  throw badSide();
}

function typeOf(text: string): OrderType {
  if (text === "LIMIT") return "limit";
  if (text === "LIMIT_MAKER") return "limit_maker";
  if (text === "MARKET") return "market";
  const kind = UNSUPPORTED[text];
  if (kind === undefined) throw badOrderType();
  throw new ApiError(400, -1013, `${kind} orders are not supported for this symbol.`);
}

function timeInForceOf(type: OrderType, params: Params): TimeInForce {
  if (type !== "limit") {
    if (params.has("timeInForce")) throw notRequired("timeInForce");
    return "GTC";
  }
  const text = required(params, "timeInForce");
  if (text === "GTC" || text === "IOC" || text === "FOK") return text;
  throw badTimeInForce();
}

function priceOf({ world }: Floor, listing: Listing, type: OrderType, params: Params): PriceTicks {
  if (type !== "market") return readPrice(listing, required(params, "price"));
  if (params.has("price")) throw notRequired("price");
  // What a market order was decided at: only its value at no trade at all is reckoned with it.
  return world.reads.price(listing.symbol)?.price ?? priceTicks(1);
}

function responseOf(type: OrderType, params: Params): ResponseType {
  const text = optional(params, "newOrderRespType") ?? (type === "limit_maker" ? "ACK" : "FULL");
  if (text === "ACK" || text === "RESULT" || text === "FULL") return text;
  throw new ApiError(400, -1136, "Invalid newOrderRespType.");
}

/** The id that the client gives, or one of the venue's own. */
function clientIdOf(params: Params, name: string): ClientOrderId {
  const id = optional(params, name) ?? randomBytes(11).toString("hex");
  if (!/^[a-zA-Z0-9-_]{1,36}$/.test(id)) throw illegalCharacters(name, CLIENT_ID_RANGE);
  // Copied: a part of the request's text would keep all of it in memory for as long as the order is remembered.
  return Buffer.from(id, "latin1").toString("latin1") as ClientOrderId;
}

/** The order as it is after the command, which told of it. */
function lastViewOf({ events }: Happening, order: string): OrderView {
  for (let at = events.length - 1; at >= 0; at -= 1) {
    const event = events[at];
    if (event?.kind === "order" && event.order.exchangeOrderId === order) return event.order;
  }
  throw new QuantmeshError("INVARIANT", `nothing was told of order ${order}`);
}

function fillsOf({ events }: Happening, order: string): readonly Execution[] {
  return events.flatMap((event) =>
    event.kind === "fill" && event.execution.exchangeOrderId === order ? [event.execution] : [],
  );
}

const FILTER_NAMES: readonly (readonly [RegExp, string])[] = [
  [/ m(in|ax)Price:/, "PRICE_FILTER"],
  [/ m(in|ax)Quantity:/, "LOT_SIZE"],
  [/ m(in|ax)Notional:/, "NOTIONAL"],
  [/ maxOpenOrders:/, "MAX_NUM_ORDERS"],
];

function refusalOf({ effects: { outcome }, reason = "" }: Happening): ApiError {
  if (outcome === "duplicate") return duplicateOrder();
  if (outcome === "expired") return outsideWindow();
  if (outcome === "insufficient_funds") return insufficientBalance();
  if (outcome === "would_cross") return wouldTake();
  const filter = FILTER_NAMES.find(([pattern]) => pattern.test(reason));
  return filter ? filterFailure(filter[1]) : new ApiError(400, -1014, "Unsupported order combination.");
}

function cancel(floor: Floor, question: SignedQuestion): string {
  const { params } = question;
  const listing = listingIn(floor.listings, params);
  const cancelId = clientIdOf(params, "newClientOrderId");
  const order = findOrder({ ...question, reads: floor.world.reads }, listing);
  const restriction = optional(params, "cancelRestrictions");
  if (restriction !== undefined && restriction !== "ONLY_NEW" && restriction !== "ONLY_PARTIALLY_FILLED") {
    throw invalidParameter("cancelRestrictions");
  }
  if (order === undefined) throw unknownOrder();
  if (restriction !== undefined && (restriction === "ONLY_NEW") !== (order.executed === 0)) {
    throw new ApiError(400, -2011, "Order was not canceled due to cancel restrictions.");
  }
  return cancelOne(floor, question, listing, order.exchangeOrderId, cancelId);
}

function cancelAll(floor: Floor, question: SignedQuestion): string {
  const listing = listingIn(floor.listings, question.params);
  const { account } = question.signed.key;
  const open = floor.world.reads.openOrders(account, listing.symbol);
  if (open.length === 0) throw unknownOrder();
  const cancelId = clientIdOf(question.params, "newClientOrderId");
  const answers = open.map((order) => cancelOne(floor, question, listing, order.exchangeOrderId, cancelId));
  return `[${answers.join(",")}]`;
}

function cancelOne(
  floor: Floor,
  { signed, now }: SignedQuestion,
  listing: Listing,
  exchangeOrderId: string,
  cancelId: string,
): string {
  const { key, validUntil } = signed;
  const { account } = key;
  const { symbol } = listing;
  const { effects, command } = floor.world.cancel(
    { account, key: key.key, symbol, cancels: exchangeOrderId, id: cancelId, validUntil },
    now,
  );
  if (effects.outcome === "expired") throw outsideWindow();
  if (effects.outcome !== "canceled") throw unknownOrder();
  const order = floor.world.reads.findByExchangeId(account, symbol, exchangeOrderId);
  invariant(order !== undefined, `order ${exchangeOrderId} is not there`);
  return canceledText(listing, order, cancelId, floor.notes, command.time);
}

/** The order that `orderId` or `origClientOrderId` names: the newest, where a client id was used again. */
function findOrder({ params, signed, reads }: SignedQuestion, listing: Listing): OrderView | undefined {
  const orderId = optionalInteger(params, "orderId");
  const clientId = optional(params, "origClientOrderId");
  const { account } = signed.key;
  if (orderId === undefined) {
    if (clientId === undefined) throw eitherMandatory("origClientOrderId", "orderId");
    return reads.findByClientId(account, listing.symbol, clientId as ClientOrderId);
  }
  const order = reads.findByExchangeId(account, listing.symbol, String(orderId));
  return clientId === undefined || order?.id === clientId ? order : undefined;
}
