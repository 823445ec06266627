/** What an account may ask about itself: balances, orders, trades, limits, and what its key may do. */
import { ZERO_MONEY } from "../../domain/amounts.ts";
import type { FeeRate, Money } from "../../domain/amounts.ts";
import type { Instant } from "../../domain/ids.ts";
import type { Instrument } from "../../domain/instrument.ts";
import type { OrderView } from "../matching/order-history.ts";
import { ApiError, badCombination } from "./api-error.ts";
import { moneyText } from "./listing.ts";
import type { Listing } from "./listing.ts";
import { orderText, tradeText } from "./order-json.ts";
import type { Params } from "./params.ts";
import { limitOf, optionalInteger } from "./params.ts";
import type { Floor, SignedQuestion, SignedRoute } from "./route.ts";
import { listingIn } from "./route.ts";

const DAY_MS = 86_400_000;

export function accountRoutes(floor: Floor): readonly SignedRoute[] {
  const { listings, notes } = floor;
  const read = (path: string, weight: SignedRoute["weight"], answer: SignedRoute["answer"]): SignedRoute => ({
    method: "GET",
    path,
    access: "read",
    weight,
    answer,
  });
  return [
    read("/api/v3/account", 20, (question) => accountText(floor, question)),
    read(
      "/api/v3/openOrders",
      (params) => (params.has("symbol") ? 6 : 80),
      ({ params, reads, signed }) => {
        const asked = params.has("symbol") ? [listingIn(listings, params)] : listings.all;
        const { account } = signed.key;
        return list(
          asked.flatMap((listing) =>
            reads.openOrders(account, listing.symbol).map((order) => orderText(listing, order, notes)),
          ),
        );
      },
    ),
    read("/api/v3/allOrders", 20, (question) => {
      const listing = listingIn(listings, question.params);
      return list(ordersAsked(question, listing).map((order) => orderText(listing, order, notes)));
    }),
    read("/api/v3/myTrades", (params) => (params.has("orderId") ? 5 : 20), tradesAsked(floor)),
    read("/api/v3/rateLimit/order", 40, ({ signed, now }) => {
      const [tenSeconds, day] = floor.limits.ordersOf(signed.key.account, now);
      const { ordersPer10Seconds, ordersPerDay } = floor.terms;
      return `[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":${ordersPer10Seconds},"count":${tenSeconds}},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":${ordersPerDay},"count":${day}}]`;
    }),
    read("/api/v3/account/commission", 20, ({ params }) => {
      const { id, instrument } = listingIn(listings, params);
      const none = `{"maker":"0.00000000","taker":"0.00000000","buyer":"0.00000000","seller":"0.00000000"}`;
      return `{"symbol":"${id}","standardCommission":${ratesText(instrument)},"taxCommission":${none},"discount":{"enabledForAccount":false,"enabledForSymbol":false,"discountAsset":"BNB","discount":"0.00000000"}}`;
    }),
    read("/sapi/v1/asset/tradeFee", 1, ({ params }) => {
      const asked = params.has("symbol") ? [listingIn(listings, params)] : listings.all;
      return list(
        asked.map(
          ({ id, instrument: { makerFee, takerFee } }) =>
            `{"symbol":"${id}","makerCommission":"${rateText(makerFee)}","takerCommission":"${rateText(takerFee)}"}`,
        ),
      );
    }),
    read("/sapi/v1/account/apiRestrictions", 1, ({ signed: { key } }) => {
      const may = (permission: "read" | "trade" | "withdraw"): boolean => key.permissions.has(permission);
      return JSON.stringify({
        ipRestrict: key.allowedIps !== undefined,
        createTime: 1_500_000_000_000,
        enableReading: may("read"),
        enableSpotAndMarginTrading: may("trade"),
        enableWithdrawals: may("withdraw"),
        enableInternalTransfer: false,
        enableMargin: false,
        enableFutures: false,
        permitsUniversalTransfer: false,
        enableVanillaOptions: false,
        enableFixApiTrade: false,
        enableFixReadOnly: false,
        enablePortfolioMarginTrading: false,
      });
    }),
    // Clients ask for all coins and margin pairs when they load markets; there are none to tell of.
    read("/sapi/v1/capital/config/getall", 10, () => "[]"),
    read("/sapi/v1/margin/allPairs", 1, () => "[]"),
    read("/sapi/v1/margin/isolated/allPairs", 10, () => "[]"),
  ];
}

function tradesAsked({ listings }: Floor): SignedRoute["answer"] {
  return ({ params, reads, signed }) => {
    const listing = listingIn(listings, params);
    const { account } = signed.key;
    const fromId = optionalInteger(params, "fromId");
    const orderId = optionalInteger(params, "orderId");
    const { startTime, endTime } = span(params);
    if (fromId !== undefined && (startTime ?? endTime) !== undefined) throw badCombination();
    const fills = reads
      .fillsAfter(account, listing.symbol, (fromId ?? 0) - 1)
      .filter(
        ({ at, exchangeOrderId }) =>
          at >= (startTime ?? 0) &&
          at <= (endTime ?? Number.POSITIVE_INFINITY) &&
          (orderId === undefined || exchangeOrderId === String(orderId)),
      );
    const asked = page(fills, params, fromId !== undefined || startTime !== undefined);
    return list(asked.map((fill) => tradeText(listing, fill)));
  };
}

function accountText(
  { listings: { all }, world }: Floor,
  { params, reads, signed, now }: SignedQuestion,
): string {
  const { key } = signed;
  const first = all[0]?.instrument;
  const balances = reads
    .balances(key.account)
    .filter(({ free, locked }) => params.get("omitZeroBalances") !== "true" || free + locked !== ZERO_MONEY)
    .map(
      ({ asset, free, locked }) =>
        `{"asset":"${asset}","free":"${moneyText(free)}","locked":"${moneyText(locked)}"}`,
    );
  const canTrade = key.permissions.has("trade");
  return `{"makerCommission":${basisPoints(first?.makerFee)},"takerCommission":${basisPoints(first?.takerFee)},"buyerCommission":0,"sellerCommission":0,"commissionRates":${ratesText(first)},"canTrade":${canTrade},"canWithdraw":${key.permissions.has("withdraw")},"canDeposit":true,"brokered":false,"requireSelfTradePrevention":false,"preventSor":false,"updateTime":${world.time > 0 ? world.time : now},"accountType":"SPOT","balances":${list(balances)},"permissions":["SPOT"],"uid":1}`;
}

function ordersAsked({ params, reads, signed }: SignedQuestion, { symbol }: Listing): readonly OrderView[] {
  const orderId = optionalInteger(params, "orderId");
  const { startTime, endTime } = span(params);
  const orders = reads
    .ordersSince(signed.key.account, symbol, (startTime ?? 0) as Instant)
    .filter(
      ({ exchangeOrderId, createdAt }) =>
        createdAt <= (endTime ?? Number.POSITIVE_INFINITY) &&
        (orderId === undefined || Number(exchangeOrderId) >= orderId),
    );
  return page(orders, params, orderId !== undefined || startTime !== undefined);
}

/** The oldest rows where a beginning is given, else the newest. */
function page<Row>(rows: readonly Row[], params: Params, hasBeginning: boolean): readonly Row[] {
  const limit = limitOf(params, 500, 1_000);
  return hasBeginning ? rows.slice(0, limit) : rows.slice(-limit);
}

function span(params: Params): { readonly startTime?: number; readonly endTime?: number } {
  const startTime = optionalInteger(params, "startTime");
  const endTime = optionalInteger(params, "endTime");
  if (startTime !== undefined && endTime !== undefined && endTime - startTime > DAY_MS) {
    throw new ApiError(400, -1127, "More than 24 hours between startTime and endTime.");
  }
  return {
    ...(startTime === undefined ? {} : { startTime }),
    ...(endTime === undefined ? {} : { endTime }),
  };
}

function list(rows: readonly string[]): string {
  return `[${rows.join(",")}]`;
}

function ratesText(instrument: Instrument | undefined): string {
  const [maker, taker] = [rateText(instrument?.makerFee), rateText(instrument?.takerFee)];
  return `{"maker":"${maker}","taker":"${taker}","buyer":"0.00000000","seller":"0.00000000"}`;
}

function rateText(rate: FeeRate | undefined): string {
  return moneyText((rate ?? 0n) as bigint as Money);
}

/** A rate in Binance's old unit of one hundredth of a percent. */
function basisPoints(rate: FeeRate | undefined): number {
  return Number((rate ?? 0n) / 10n ** 14n);
}
