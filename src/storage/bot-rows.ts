/** Rows ↔ domain values of bots: their lattices, slots, inventories and totals. Amounts become decimal text and come back. */
import type { PriceTicks } from "../domain/amounts.ts";
import { formatMoney, parseMoney } from "../domain/amounts.ts";
import { invariant } from "../domain/assert.ts";
import { formatDecimal } from "../domain/decimal.ts";
import type { Bot, Lattice, Parcel, SlotHolding, SlotTerms, Totals } from "../domain/grid.ts";
import { botCode, instant, slotNumber } from "../domain/ids.ts";
import type { Instrument } from "../domain/instrument.ts";
import {
  createInstrument,
  formatPrice,
  formatQuantity,
  parsePrice,
  parseQuantity,
} from "../domain/instrument.ts";
import { wholeMs } from "./column-text.ts";
import type { BotsTable, SlotsTable, TotalsColumns } from "./schema.ts";

const NO_TOTALS: TotalsColumns = {
  fill_count: 0,
  trade_count: 0,
  grid_profit: "0",
  inventory_sells: 0,
  inventory_pnl: "0",
  fees: "0",
  cash_flow: "0",
  position: "0",
  base_fees: "0",
};

/** The row of a new bot: running, nothing earned, nothing bought. */
export function newBotRow(bot: Bot): BotsTable {
  const { market, instrument } = bot;
  invariant(
    instrument.exchange === market.exchange && instrument.symbol === market.symbol,
    `bot ${bot.code} has the instrument of another market`,
  );
  return {
    code: bot.code,
    ...market,
    tick_size: formatMoney(instrument.tickSize),
    lot_size: formatMoney(instrument.lotSize),
    min_quantity: formatQuantity(instrument, instrument.minQuantity),
    min_notional: formatMoney(instrument.minNotional),
    maker_fee: formatDecimal(instrument.makerFee),
    taker_fee: formatDecimal(instrument.takerFee),
    settings: bot.settings,
    lattice: latticeText(bot),
    initial: bot.initial,
    initial_done: 0,
    start_price: formatPrice(instrument, bot.startPrice),
    created_at: wholeMs(bot.createdAt),
    mode: "running",
    mode_reason: "",
    fill_cursor: null,
    ...NO_TOTALS,
  };
}

export function botOf(row: BotsTable, slotRows: readonly SlotsTable[]): Bot {
  const instrument = createInstrument({
    exchange: row.exchange,
    symbol: row.symbol,
    tickSize: row.tick_size,
    lotSize: row.lot_size,
    minQuantity: row.min_quantity,
    minNotional: row.min_notional,
    makerFee: row.maker_fee,
    takerFee: row.taker_fee,
  });
  const slots = slotRows.map((slot) => slotOf(instrument, slot));
  return {
    code: botCode(row.code),
    market: { exchange: row.exchange, account: row.account, symbol: row.symbol },
    instrument,
    settings: row.settings,
    lattice: latticeOf(instrument, row.lattice),
    initial: row.initial,
    startPrice: parsePrice(instrument, row.start_price),
    createdAt: instant(row.created_at),
    slots: slots.sort((a, b) => a.buyPrice - b.buyPrice || a.slot - b.slot),
  };
}

export function newSlotRow(bot: Bot, terms: SlotTerms): SlotsTable {
  return {
    bot_code: bot.code,
    slot: terms.slot,
    buy_price: formatPrice(bot.instrument, terms.buyPrice),
    sell_price: formatPrice(bot.instrument, terms.sellPrice),
    quantity: formatQuantity(bot.instrument, terms.quantity),
    wants: "buy",
    inventory: "[]",
    dust: "0",
  };
}

export function holdingColumns(
  instrument: Instrument,
  { wants, inventory, dust }: SlotHolding,
): Pick<SlotsTable, "wants" | "inventory" | "dust"> {
  return { wants, inventory: inventoryText(instrument, inventory), dust: formatMoney(dust) };
}

export function holdingOf(
  instrument: Instrument,
  { wants, inventory, dust }: Pick<SlotsTable, "wants" | "inventory" | "dust">,
): SlotHolding {
  return { wants, inventory: inventoryOf(instrument, inventory), dust: parseMoney(dust) };
}

/** A window lattice as it stands in a bot's lattice column. */
interface WindowText {
  readonly anchor: string;
  readonly interval: string;
  readonly orderQuantity: string;
}

function latticeText({ instrument, lattice }: Bot): string {
  if (lattice.kind === "range") return "{}";
  const text: WindowText = {
    anchor: formatPrice(instrument, lattice.anchor),
    interval: formatPrice(instrument, lattice.interval as PriceTicks),
    orderQuantity: formatMoney(lattice.orderQuantity),
  };
  return JSON.stringify(text);
}

function latticeOf(instrument: Instrument, text: string): Lattice {
  const stored = JSON.parse(text) as Partial<WindowText>;
  const { anchor, interval, orderQuantity } = stored;
  if (anchor === undefined || interval === undefined || orderQuantity === undefined) return { kind: "range" };
  return {
    kind: "window",
    anchor: parsePrice(instrument, anchor),
    interval: parsePrice(instrument, interval),
    orderQuantity: parseMoney(orderQuantity),
  };
}

function slotOf(instrument: Instrument, row: SlotsTable): SlotTerms {
  return {
    slot: slotNumber(row.slot),
    buyPrice: parsePrice(instrument, row.buy_price),
    sellPrice: parsePrice(instrument, row.sell_price),
    quantity: parseQuantity(instrument, row.quantity),
  };
}

/** A parcel as it stands in a slot's inventory column. */
interface ParcelText {
  readonly origin: Parcel["origin"];
  readonly quantity: string;
  readonly quote: string;
  readonly fee: string;
}

function inventoryText(instrument: Instrument, inventory: readonly Parcel[]): string {
  const parcels = inventory.map(
    ({ origin, quantity, quote, fee }): ParcelText => ({
      origin,
      quantity: formatQuantity(instrument, quantity),
      quote: formatMoney(quote),
      fee: formatMoney(fee),
    }),
  );
  return JSON.stringify(parcels);
}

function inventoryOf(instrument: Instrument, text: string): readonly Parcel[] {
  const parcels = JSON.parse(text) as readonly ParcelText[];
  return parcels.map(({ origin, quantity, quote, fee }) => ({
    origin,
    quantity: parseQuantity(instrument, quantity),
    quote: parseMoney(quote),
    fee: parseMoney(fee),
  }));
}

export function totalsColumns(instrument: Instrument, totals: Totals): TotalsColumns {
  return {
    fill_count: totals.fills,
    trade_count: totals.trades,
    grid_profit: formatMoney(totals.gridProfit),
    inventory_sells: totals.inventorySells,
    inventory_pnl: formatMoney(totals.inventoryPnl),
    fees: formatMoney(totals.fees),
    cash_flow: formatMoney(totals.cashFlow),
    position: formatQuantity(instrument, totals.position),
    base_fees: formatMoney(totals.baseFees),
  };
}

export function totalsOf(instrument: Instrument, row: TotalsColumns): Totals {
  return {
    fills: row.fill_count,
    trades: row.trade_count,
    gridProfit: parseMoney(row.grid_profit),
    inventorySells: row.inventory_sells,
    inventoryPnl: parseMoney(row.inventory_pnl),
    fees: parseMoney(row.fees),
    cashFlow: parseMoney(row.cash_flow),
    position: parseQuantity(instrument, row.position),
    baseFees: parseMoney(row.base_fees),
  };
}
