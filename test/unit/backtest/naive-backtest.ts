/**
 * A second back-tester, written from the description of the grid alone: plain loops over the points of the path and
 * bigint sums in units of 1e-18. Slow, simple, and without a line of the product's code.
 */

export interface NaiveGrid {
  readonly tick: string;
  readonly lot: string;
  readonly minNotional: string;
  readonly maker: string;
  readonly taker: string;
  readonly lower: string;
  readonly upper: string;
  readonly grids: number;
  readonly spacing: "arithmetic" | "geometric";
  readonly amount: {
    readonly kind: "order_quantity" | "base_quantity" | "investment";
    readonly value: string;
  };
  readonly initial: "buy" | "none";
  readonly fill: "touch" | "through";
}

/** Prices in ticks. */
export interface NaiveCandle {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

export interface NaiveFill {
  readonly side: "buy" | "sell";
  readonly slot: number | "initial";
  readonly price: number;
  readonly quantity: number;
}

export interface NaiveResult {
  readonly fills: readonly NaiveFill[];
  readonly trades: number;
  readonly inventorySells: number;
  readonly gridProfit: string;
  readonly inventoryPnl: string;
  readonly unrealizedPnl: string;
  readonly fees: string;
  readonly initialEquity: string;
  readonly totalPnl: string;
  readonly equity: string;
  readonly maxDrawdown: string;
  readonly position: string;
  readonly openBuys: number;
  readonly openSells: number;
}

interface Cell {
  readonly buyAt: number;
  readonly sellAt: number;
  readonly lots: number;
  /** What the cell rests or waits for. */
  order: "buy" | "sell" | "none";
  /** What the lots it holds cost, with their fee. */
  cost: bigint;
  bought: "grid" | "initial";
}

const UNIT = 10n ** 18n;

/** Undefined where such a grid is to be refused. */
export function naiveBacktest(grid: NaiveGrid, candles: readonly NaiveCandle[]): NaiveResult | undefined {
  const perTickLot = (units(grid.tick) * units(grid.lot)) / UNIT;
  const [maker, taker] = [units(grid.maker), units(grid.taker)];
  const start = (candles[0] as NaiveCandle).open;
  const cells = layOut(grid, start, perTickLot);
  if (!cells) return undefined;

  const fills: NaiveFill[] = [];
  let trades = 0;
  let inventorySells = 0;
  let [gridProfit, inventoryPnl, fees, cash, position] = [0n, 0n, 0n, 0n, 0n];
  const valueOf = (price: number, lots: number): bigint => BigInt(price) * BigInt(lots) * perTickLot;
  const feeOn = (value: bigint, rate: bigint): bigint => (value * rate + UNIT - 1n) / UNIT;

  const buy = (cell: Cell, slot: number): void => {
    const value = valueOf(cell.buyAt, cell.lots);
    const fee = feeOn(value, maker);
    fees += fee;
    cash -= value + fee;
    position += BigInt(cell.lots);
    cell.cost = value + fee;
    cell.bought = "grid";
    cell.order = "sell";
    fills.push({ side: "buy", slot, price: cell.buyAt, quantity: cell.lots });
  };
  const sell = (cell: Cell, slot: number): void => {
    const value = valueOf(cell.sellAt, cell.lots);
    const fee = feeOn(value, maker);
    fees += fee;
    cash += value - fee;
    position -= BigInt(cell.lots);
    const profit = value - fee - cell.cost;
    if (cell.bought === "grid") {
      trades += 1;
      gridProfit += profit;
    } else {
      inventorySells += 1;
      inventoryPnl += profit;
    }
    cell.order = "buy";
    fills.push({ side: "sell", slot, price: cell.sellAt, quantity: cell.lots });
  };

  // The start: one purchase for all that hold; its fee is given to the cells from the lowest up, by lots.
  const holding = cells.filter(({ buyAt }) => grid.initial === "buy" && buyAt >= start);
  let lotsLeft = holding.reduce((sum, { lots }) => sum + lots, 0);
  if (lotsLeft > 0) {
    const value = valueOf(start, lotsLeft);
    let feeLeft = feeOn(value, taker);
    fees += feeLeft;
    cash -= value + feeLeft;
    position += BigInt(lotsLeft);
    fills.push({ side: "buy", slot: "initial", price: start, quantity: lotsLeft });
    for (const cell of holding) {
      const share = (feeLeft * BigInt(cell.lots)) / BigInt(lotsLeft);
      cell.cost = valueOf(start, cell.lots) + share;
      cell.bought = "initial";
      cell.order = "sell";
      feeLeft -= share;
      lotsLeft -= cell.lots;
    }
  }
  for (const cell of cells) if (cell.buyAt < start) cell.order = "buy";

  const beyond = grid.fill === "through" ? 1 : 0;
  const travel = (from: number, to: number): void => {
    for (let i = cells.length - 1; i >= 0 && to < from; i--) {
      const cell = cells[i] as Cell;
      if (cell.order === "buy" && to + beyond <= cell.buyAt) buy(cell, i);
    }
    for (let i = 0; i < cells.length && to > from; i++) {
      const cell = cells[i] as Cell;
      if (cell.order === "sell" && to - beyond >= cell.sellAt) sell(cell, i);
    }
    for (const cell of cells) if (cell.order === "none" && to > cell.buyAt) cell.order = "buy";
  };

  let price = start;
  let [peak, maxDrawdown] = [0n, 0n];
  for (const { open, high, low, close } of candles) {
    const points = close >= open ? [open, low, high, close] : [open, high, low, close];
    for (const point of points) {
      travel(price, point);
      price = point;
    }
    const gained = cash + BigInt(price) * position * perTickLot;
    if (gained > peak) peak = gained;
    if (peak - gained > maxDrawdown) maxDrawdown = peak - gained;
  }

  const worth = BigInt(price) * position * perTickLot;
  const cost = cells.reduce((sum, cell) => (cell.order === "sell" ? sum + cell.cost : sum), 0n);
  const total = cash + worth;
  if (total !== gridProfit + inventoryPnl + worth - cost) throw new Error("the naive books are wrong");
  const initialEquity = setUpCost(cells, grid, start, perTickLot) / UNIT;
  return {
    fills,
    trades,
    inventorySells,
    gridProfit: text(gridProfit),
    inventoryPnl: text(inventoryPnl),
    unrealizedPnl: text(worth - cost),
    fees: text(fees),
    initialEquity: text(initialEquity),
    totalPnl: text(total),
    equity: text(initialEquity + total),
    maxDrawdown: text(maxDrawdown),
    position: text(position * units(grid.lot)),
    openBuys: cells.filter(({ order }) => order === "buy").length,
    openSells: cells.filter(({ order }) => order === "sell").length,
  };
}

/** Exact decimal text → units of 1e-18. */
export function units(decimal: string): bigint {
  const [whole = "0", part = ""] = decimal.split(".");
  return BigInt(whole + part.padEnd(18, "0"));
}

function text(value: bigint): string {
  const size = value < 0n ? -value : value;
  const part = (size % UNIT).toString().padStart(18, "0").replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${size / UNIT}${part && `.${part}`}`;
}

function layOut(grid: NaiveGrid, start: number, perTickLot: bigint): Cell[] | undefined {
  const prices: number[] = [];
  for (let i = 0; i <= grid.grids; i++) prices.push(latticePrice(grid, i));
  const shape = prices.slice(0, -1).map((buyAt, i) => ({ buyAt, sellAt: prices[i + 1] as number }));
  const value = units(grid.amount.value);
  let common = 0n;
  if (grid.amount.kind === "investment") {
    const one = shape.map((cell) => ({ ...cell, lots: 1 }));
    // Σ … · q ≤ investment, both sides times 1e18.
    common = (value * UNIT) / setUpCost(one, grid, start, perTickLot);
  }
  const cells = shape.map(({ buyAt, sellAt }): Cell => {
    const lots =
      grid.amount.kind === "investment"
        ? common
        : grid.amount.kind === "base_quantity"
          ? value / units(grid.lot)
          : value / (BigInt(buyAt) * perTickLot);
    return { buyAt, sellAt, lots: Number(lots), order: "none", cost: 0n, bought: "grid" };
  });
  const maker = units(grid.maker);
  const isRefused = cells.some(
    ({ buyAt, sellAt, lots }) =>
      buyAt < 1 ||
      sellAt <= buyAt ||
      lots < 1 ||
      BigInt(buyAt) * BigInt(lots) * perTickLot < units(grid.minNotional) ||
      BigInt(sellAt) * (UNIT - maker) <= BigInt(buyAt) * (UNIT + maker),
  );
  return isRefused ? undefined : cells;
}

/** Quote needed at the start, fees included and exact, times 1e18. */
function setUpCost(
  cells: readonly Pick<Cell, "buyAt" | "lots">[],
  grid: NaiveGrid,
  start: number,
  perTickLot: bigint,
): bigint {
  let sum = 0n;
  for (const { buyAt, lots } of cells) {
    const isBought = grid.initial === "buy" && buyAt >= start;
    const rate = UNIT + units(isBought ? grid.taker : grid.maker);
    sum += BigInt(isBought ? start : buyAt) * BigInt(lots) * perTickLot * rate;
  }
  return sum;
}

/** The i-th price in ticks, rounded half up. */
function latticePrice({ lower, upper, tick, grids, spacing }: NaiveGrid, i: number): number {
  const [low, high, step] = [units(lower), units(upper), units(tick)];
  const n = BigInt(grids);
  const k = BigInt(i);
  if (spacing === "arithmetic") {
    const [above, below] = [2n * (low * (n - k) + high * k) + n * step, 2n * n * step];
    return Number(above / below);
  }
  // (2t − 1)^n · tick^n ≤ 2^n · L^(n−i) · U^i, by halving.
  const limit = 2n ** n * low ** (n - k) * high ** k;
  let [fits, exceeds] = [0n, (2n * high) / step + 2n];
  while (exceeds - fits > 1n) {
    const middle = (fits + exceeds) / 2n;
    if ((2n * middle - 1n) ** n * step ** n <= limit) fits = middle;
    else exceeds = middle;
  }
  return Number(fits);
}
