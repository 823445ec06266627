/** How much each slot trades, what the whole grid costs, and which grids are refused. */
import type { Money, PriceTicks, QuantityLots } from "../domain/amounts.ts";
import {
  MOST_UNITS,
  ZERO_MONEY,
  addMoney,
  feeOn,
  formatMoney,
  money,
  quantityLots,
} from "../domain/amounts.ts";
import { ONE, parseDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { SlotTerms } from "../domain/grid.ts";
import { slotNumber } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, formatQuantity, notional } from "../domain/instrument.ts";
import type { RangeSettings } from "./settings.ts";

/**
 * The slots of a lattice: slot i buys at prices[i] and sells at prices[i + 1].
 * Throws CONFIG_INVALID, with the numbers and the remedy, where a slot is below one order or a cell loses money.
 */
export function sizeSlots(
  settings: RangeSettings,
  instrument: Instrument,
  prices: readonly PriceTicks[],
  startPrice: PriceTicks,
): readonly SlotTerms[] {
  const cells = prices
    .slice(0, -1)
    .map((buyPrice, i) => ({ buyPrice, sellPrice: prices[i + 1] ?? buyPrice }));
  const common =
    settings.amount.kind === "investment"
      ? investmentLots(settings, instrument, prices, startPrice)
      : undefined;
  const slots = cells.map(({ buyPrice, sellPrice }, i): SlotTerms => {
    const quantity = common ?? slotLots(settings, instrument, buyPrice);
    return { slot: slotNumber(i), buyPrice, sellPrice, quantity };
  });
  for (const slot of slots) {
    refuseSmall(settings, instrument, slot);
    refuseLosing(settings, instrument, slot);
  }
  return slots;
}

/**
 * Quote needed to set the grid up at `startPrice`: Σ p·q·(1 + maker) over slots that start with a buy (at once or,
 * with `initial: none`, once the price was above them) + Σ P·q·(1 + taker) over slots that start holding.
 */
export function initialEquity(
  settings: Pick<RangeSettings, "initial">,
  instrument: Instrument,
  slots: readonly SlotTerms[],
  startPrice: PriceTicks,
): Money {
  return slots.reduce((sum, slot) => {
    const holds = settings.initial === "buy" && slot.buyPrice >= startPrice;
    const value = notional(instrument, holds ? startPrice : slot.buyPrice, slot.quantity);
    const fee = feeOn(value, holds ? instrument.takerFee : instrument.makerFee);
    return addMoney(sum, addMoney(value, fee));
  }, ZERO_MONEY);
}

function slotLots(settings: RangeSettings, instrument: Instrument, buyPrice: PriceTicks): QuantityLots {
  const value = parseDecimal(settings.amount.value);
  const perLot =
    settings.amount.kind === "base_quantity"
      ? instrument.lotSize
      : BigInt(buyPrice) * instrument.notionalUnit;
  return countedLots(settings, value / perLot);
}

/** All slots together must be countable, because one position is their sum. */
function countedLots({ amount, grids }: RangeSettings, lots: bigint): QuantityLots {
  if (lots * BigInt(grids) <= MOST_UNITS) return quantityLots(Number(lots));
  throw invalid(
    `${amount.kind} ${amount.value} is too large: quantities are counted in lots, up to ${MOST_UNITS} of them in all slots`,
  );
}

/** The largest common quantity whose initial equity the investment covers. */
function investmentLots(
  settings: RangeSettings,
  instrument: Instrument,
  prices: readonly PriceTicks[],
  startPrice: PriceTicks,
): QuantityLots {
  const investment = parseDecimal(settings.amount.value);
  const costOf = (lots: bigint): Money => {
    const quantity = quantityLots(Number(lots));
    const slots = prices
      .slice(0, -1)
      .map((buyPrice, i) => ({ slot: slotNumber(i), buyPrice, sellPrice: buyPrice, quantity }));
    return initialEquity(settings, instrument, slots, startPrice);
  };
  // The exact cost without rounding bounds the answer from above; rounding fees up costs at most a little more.
  const perLot = prices.slice(0, -1).reduce((sum, buyPrice) => {
    const holds = settings.initial === "buy" && buyPrice >= startPrice;
    const price = BigInt(holds ? startPrice : buyPrice) * instrument.notionalUnit;
    return sum + price * (ONE + (holds ? instrument.takerFee : instrument.makerFee));
  }, 0n);
  let lots = BigInt(countedLots(settings, (investment * ONE) / perLot));
  while (lots > 0n && costOf(lots) > investment) lots -= 1n;
  return quantityLots(Number(lots));
}

function refuseSmall(settings: RangeSettings, instrument: Instrument, slot: SlotTerms): void {
  const { buyPrice, quantity } = slot;
  const price = formatPrice(instrument, buyPrice);
  const setting = `${settings.amount.kind} ${settings.amount.value}`;
  if (quantity < 1 || quantity < instrument.minQuantity) {
    const least = formatQuantity(instrument, quantityLots(Math.max(1, instrument.minQuantity)));
    throw invalid(
      `${setting} gives ${formatQuantity(instrument, quantity)} ${instrument.base} at ${price}, ` +
        `less than the smallest order of ${least} ${instrument.base}: raise ${settings.amount.kind} or use fewer grids`,
    );
  }
  const value = notional(instrument, buyPrice, quantity);
  if (value < instrument.minNotional) {
    throw invalid(
      `${setting} gives an order of ${formatMoney(value)} ${instrument.quote} at ${price}, less than the minimum ` +
        `notional of ${formatMoney(instrument.minNotional)} ${instrument.quote}: raise ${settings.amount.kind} or use fewer grids`,
    );
  }
}

/** A cell must earn: p[i+1]·(1 − maker) > p[i]·(1 + maker). */
function refuseLosing(settings: RangeSettings, instrument: Instrument, slot: SlotTerms): void {
  const { makerFee } = instrument;
  const proceeds = BigInt(slot.sellPrice) * (ONE - makerFee);
  const cost = BigInt(slot.buyPrice) * (ONE + makerFee);
  if (proceeds > cost) return;
  throw invalid(
    `the cell ${formatPrice(instrument, slot.buyPrice)} – ${formatPrice(instrument, slot.sellPrice)} loses money: ` +
      `a cycle costs two fees of ${formatMoney(money(makerFee))} and earns less; ` +
      `use fewer grids than ${settings.grids} or a wider range`,
  );
}

function invalid(reason: string): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", `grid: ${reason}`);
}
