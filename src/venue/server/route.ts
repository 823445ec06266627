/** What a route is, and what it may use. */
import type { Instant } from "../../domain/ids.ts";
import { badSymbol } from "./api-error.ts";
import type { Signed } from "./key-table.ts";
import type { Listing } from "./listing.ts";
import type { MarketData } from "./market-data.ts";
import type { Limits, Permission } from "./options.ts";
import type { OrderNotes } from "./order-notes.ts";
import type { Params } from "./params.ts";
import { symbolText } from "./params.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { VenueReads, VenueWorld } from "./venue-world.ts";

export type Method = "GET" | "POST" | "DELETE";

/** The venue as the routes see it. */
export interface Floor {
  readonly world: VenueWorld;
  readonly data: MarketData;
  readonly notes: OrderNotes;
  readonly limits: RateLimits;
  readonly terms: Limits;
  readonly listings: Listings;
}

export interface Listings {
  readonly all: readonly Listing[];
  readonly byId: ReadonlyMap<string, Listing>;
  readonly bySymbol: ReadonlyMap<string, Listing>;
}

/** What an account is shown of itself: the venue as it is, or as it was a moment ago. */
export type AccountReads = Pick<
  VenueReads,
  "balances" | "fillsAfter" | "findByClientId" | "findByExchangeId" | "openOrders" | "ordersSince"
>;

/** A request that may be answered; `now` is the venue's clock. */
export interface Question {
  readonly params: Params;
  readonly now: Instant;
  readonly reads: AccountReads;
}

export interface SignedQuestion extends Question {
  readonly signed: Signed;
}

interface RouteTerms {
  readonly method: Method;
  readonly path: string;
  readonly weight: number | ((params: Params) => number);
}

export interface PublicRoute extends RouteTerms {
  readonly access: "public";
  /** The body of the answer. Throws ApiError. */
  answer(question: Question): string;
}

export interface SignedRoute extends RouteTerms {
  readonly access: Permission;
  /** Whether the answer tells how many orders the account has sent. */
  readonly countsOrders?: boolean;
  answer(question: SignedQuestion): string;
}

export type Route = PublicRoute | SignedRoute;

/** The listing that the parameter `symbol` names. */
export function listingIn({ byId }: Listings, params: Params): Listing {
  const listing = byId.get(symbolText(params));
  if (!listing) throw badSymbol();
  return listing;
}
