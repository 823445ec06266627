/** What an order must keep on one market, as data, and the sentence that tells which rule it breaks. */
import type { Money, PriceTicks, QuantityLots } from "../../domain/amounts.ts";
import { formatMoney, parseMoney, priceTicks, quantityLots } from "../../domain/amounts.ts";
import type { Instrument } from "../../domain/instrument.ts";
import { formatPrice, formatQuantity, notional } from "../../domain/instrument.ts";

/** Limits that an order may reach but not pass; what is not given is not limited beyond the instrument's own minimums. */
export interface Filters {
  readonly minPrice?: PriceTicks;
  readonly maxPrice?: PriceTicks;
  readonly minQuantity?: QuantityLots;
  readonly maxQuantity?: QuantityLots;
  readonly minNotional?: Money;
  readonly maxNotional?: Money;
  /** Of one account; market orders do not count. */
  readonly maxOpenOrders?: number;
}

/** The instrument's own minimums, and maximums that nobody reaches. */
export function widestFilters({ minQuantity, minNotional }: Instrument): Required<Filters> {
  return {
    minPrice: priceTicks(1),
    maxPrice: priceTicks(1e12),
    minQuantity,
    maxQuantity: quantityLots(1e12),
    minNotional,
    maxNotional: parseMoney("1000000000000"),
    maxOpenOrders: 1_000_000,
  };
}

export interface FilteredOrder {
  /** The limit; undefined for a market order, which keeps no price. */
  readonly price: PriceTicks | undefined;
  /** The price that its notional is reckoned at. */
  readonly valuedAt: PriceTicks;
  readonly quantity: QuantityLots;
  /** How many orders its account has open in this market. */
  readonly open: number;
}

/** The first rule that the order breaks, as `<filter>: <why>`; undefined where it breaks none. */
export function brokenFilter(
  instrument: Instrument,
  filters: Filters,
  order: FilteredOrder,
): string | undefined {
  const { price, valuedAt, quantity, open } = order;
  const { minPrice, maxPrice, maxQuantity, maxNotional, maxOpenOrders } = filters;
  const inPrice = (ticks: PriceTicks): string => formatPrice(instrument, ticks);
  const inLots = (lots: QuantityLots): string => formatQuantity(instrument, lots);
  if (price !== undefined) {
    if (price <= 0) return "minPrice: the price must be above 0";
    if (minPrice !== undefined && price < minPrice)
      return `minPrice: ${inPrice(price)} is below ${inPrice(minPrice)}`;
    if (maxPrice !== undefined && price > maxPrice)
      return `maxPrice: ${inPrice(price)} is above ${inPrice(maxPrice)}`;
    if (maxOpenOrders !== undefined && open >= maxOpenOrders)
      return `maxOpenOrders: the account has ${open} open orders, of ${maxOpenOrders}`;
  }
  const minQuantity = dearer(instrument.minQuantity, filters.minQuantity);
  if (quantity <= 0) return "minQuantity: the quantity must be above 0";
  if (quantity < minQuantity) return `minQuantity: ${inLots(quantity)} is below ${inLots(minQuantity)}`;
  if (maxQuantity !== undefined && quantity > maxQuantity)
    return `maxQuantity: ${inLots(quantity)} is above ${inLots(maxQuantity)}`;
  const value = notional(instrument, valuedAt, quantity);
  const minNotional = dearer(instrument.minNotional, filters.minNotional);
  if (value < minNotional) return `minNotional: ${formatMoney(value)} is below ${formatMoney(minNotional)}`;
  if (maxNotional !== undefined && value > maxNotional)
    return `maxNotional: ${formatMoney(value)} is above ${formatMoney(maxNotional)}`;
  return undefined;
}

function dearer<Amount extends number | bigint>(own: Amount, other: Amount | undefined): Amount {
  return other !== undefined && other > own ? other : own;
}
