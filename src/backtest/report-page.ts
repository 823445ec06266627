/** report.html: one file with everything in it; figures as exact text, charts drawn from thinned-out numbers. */
import type { Money, PriceTicks } from "../domain/amounts.ts";
import { formatMoney, money } from "../domain/amounts.ts";
import { divideDown, formatDecimal } from "../domain/decimal.ts";
import type { Bot } from "../domain/grid.ts";
import type { Instrument } from "../domain/instrument.ts";
import { formatPrice, formatQuantity } from "../domain/instrument.ts";
import type { Candles } from "../venue/market/candles.ts";
import { POINTS_PER_CANDLE } from "../venue/market/candle-path.ts";
import type { ChartData } from "./chart-data.ts";
import { chartData, levelsOf } from "./chart-data.ts";
import type { ChartLibrary } from "./chart-library.ts";
import type { FigureRow } from "./figure-rows.ts";
import { figureRows, noTradesReason } from "./figure-rows.ts";
import type { RecordedFill } from "./recorded-fill.ts";
import { REPORT_SCRIPT } from "./report-script.ts";
import { REPORT_STYLE } from "./report-style.ts";
import type { BacktestReport } from "./report.ts";

export interface ReportPage {
  readonly report: BacktestReport;
  readonly bot: Bot;
  readonly candles: Candles;
  readonly fills: readonly RecordedFill[];
  readonly initialEquity: Money;
  readonly lastPrice: PriceTicks;
}

/** Nothing in the page may reach out: the policy forbids what the page does not do anyway. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

export function renderReport(page: ReportPage, library: ChartLibrary): string {
  const { report, bot, candles, fills, initialEquity } = page;
  const { instrument } = bot;
  const data = chartData(bot, candles, fills, initialEquity);
  const title = `Back-test of ${report.symbol}`;
  const reason = noTradesReason(report);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="generator" content="quantmesh">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${library.style}${REPORT_STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p class="muted">${escape(report.from)} – ${escape(report.to)} (UTC), ${count(report.candles, "candle")}. Amounts in
${escape(instrument.quote)}, position in ${escape(instrument.base)}; all figures are exact.</p>
${reason === undefined ? "" : `<p class="warning">${escape(reason)}</p>`}
${definitions(headline(report), "headline")}
<h2>Figures</h2>
${definitions(figureRows(report))}
<h2>Grid</h2>
${definitions(gridRows(bot, report))}
${figure("price", "Price, levels and fills", PRICE_KEY, priceText(page, data))}
${figure("equity", "Equity against holding", EQUITY_KEY, equityText(page, data))}
${figure("drawdown", "Drawdown", "", drawdownText(page))}
${figure("days", "Trades per day", "", daysText(data))}
<noscript><p class="warning">The charts need JavaScript; every figure is in the text.</p></noscript>
<footer><p>Made by quantmesh. The fills are in trades.csv, the figures in result.json. Charts are drawn with
${escape(library.name)}, whose licence is in the source of this page; drag over one to zoom in, double-click to zoom
out. Times are UTC.</p></footer>
</main>
<script type="application/json" id="chart-data">${JSON.stringify(data)}</script>
<script>/*
${library.licence}
*/
${library.script}</script>
<script>${REPORT_SCRIPT}</script>
</body>
</html>
`;
}

const PRICE_KEY = key([
  ['<path d="M0 10 7 4 14 9 22 3" fill="none" stroke="var(--line)" stroke-width="1.5"/>', "price"],
  ['<path d="M11 1 17 13H5Z" fill="var(--buy)"/>', "buy (points up)"],
  ['<path d="M11 13 17 1H5Z" fill="var(--sell)"/>', "sell (points down)"],
  ['<path d="M0 7H22" stroke="var(--level)" stroke-dasharray="2 3"/>', "level of the grid"],
]);
const EQUITY_KEY = key([
  ['<path d="M0 7H22" stroke="var(--buy)" stroke-width="2"/>', "grid (solid)"],
  ['<path d="M0 7H22" stroke="var(--sell)" stroke-width="2" stroke-dasharray="6 4"/>', "holding (dashed)"],
]);

function headline(report: BacktestReport): readonly FigureRow[] {
  return [
    ["total pnl", report.totalPnl],
    ["grid profit", report.gridProfit],
    ["trades", String(report.trades)],
    ["max drawdown", report.maxDrawdown],
  ];
}

function gridRows({ instrument, settings, slots }: Bot, report: BacktestReport): readonly FigureRow[] {
  const asked = JSON.parse(settings) as Readonly<Record<string, string | number>>;
  return [
    ...Object.entries(asked).map(([name, value]): FigureRow => [name.replaceAll("_", " "), String(value)]),
    ["slots", String(slots.length)],
    ["fill model", report.fill],
    ["tick size", formatMoney(instrument.tickSize)],
    ["lot size", formatMoney(instrument.lotSize)],
    ["min quantity", formatQuantity(instrument, instrument.minQuantity)],
    ["min notional", formatMoney(instrument.minNotional)],
    ["maker fee", formatDecimal(instrument.makerFee)],
    ["taker fee", formatDecimal(instrument.takerFee)],
  ];
}

function priceText({ bot, candles, fills }: ReportPage, data: ChartData): readonly string[] {
  const { instrument } = bot;
  const levels = levelsOf(bot);
  const buys = fills.filter(({ execution }) => execution.side === "buy").length;
  const range = `${priceAt(instrument, levels[0])} to ${priceAt(instrument, levels.at(-1))}`;
  const lowest = candles.low.reduce((least, price) => Math.min(least, price));
  const highest = candles.high.reduce((most, price) => Math.max(most, price));
  const points = candles.length * POINTS_PER_CANDLE;
  return [
    `The price went from ${priceAt(instrument, candles.open[0])} to ` +
      `${priceAt(instrument, candles.close[candles.length - 1])}, at the lowest ${priceAt(instrument, lowest)}, at ` +
      `the highest ${priceAt(instrument, highest)}. ${levels.length} levels from ${range}; ` +
      `${count(buys, "buy")}, ${count(fills.length - buys, "sell")}.`,
    ...thinned(data.price.time.length, points, "points, the lowest and the highest price of each stretch"),
    ...thinned(data.markers.time.length, fills.length, "fills, neighbours at one price as one mark"),
  ];
}

function equityText(
  { report, bot, initialEquity, lastPrice, candles }: ReportPage,
  data: ChartData,
): readonly string[] {
  const { quote, base } = bot.instrument;
  const held = money(divideDown(initialEquity * BigInt(lastPrice), BigInt(bot.startPrice)));
  return [
    `The grid ended at ${report.equity} ${quote}. Holding ${base} for the same ${report.initialEquity} ${quote}, bought ` +
      `at the start price of ${report.startPrice} without a fee, ended at ${formatMoney(held)} ${quote} (rounded down).`,
    ...thinned(
      data.equity.time.length,
      candles.length + 1,
      "points, the lowest and the highest value of each stretch",
    ),
  ];
}

function drawdownText({ report, bot }: ReportPage): readonly string[] {
  return [
    `How far equity is below its maximum so far, in ${bot.instrument.quote}; at most ${report.maxDrawdown}.`,
  ];
}

function daysText({ days }: ChartData): readonly string[] {
  const sum = days.trades.reduce((total, trades) => total + trades, 0);
  const most = Math.max(...days.trades);
  const best = new Date((days.time[days.trades.indexOf(most)] ?? 0) * 1000).toISOString().slice(0, 10);
  const trades = `${count(sum, "trade")} in ${count(days.trades.length, "day")}`;
  return [`${trades} (UTC)${sum === 0 ? "" : `, at most ${most} in one, on ${best}`}.`];
}

function thinned(drawn: number, all: number, what: string): readonly string[] {
  return drawn < all ? [`Downsampled: drawn from ${drawn} of ${all} ${what}.`] : [];
}

function figure(name: string, heading: string, keyHtml: string, text: readonly string[]): string {
  return `<section aria-labelledby="heading-${name}">
<h2 id="heading-${name}">${heading}</h2>
<figure>
${keyHtml}
<div class="chart" id="chart-${name}" data-label="${heading}. ${escape(text[0] ?? "")}"></div>
<figcaption>${text.map((line) => `<p>${escape(line)}</p>`).join("\n")}</figcaption>
</figure>
</section>`;
}

function definitions(rows: readonly FigureRow[], className = ""): string {
  const items = rows.map(
    ([name, value]) =>
      `<div${value.length > 24 ? ' class="wide"' : ""}><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`,
  );
  return `<dl${className && ` class="${className}"`}>\n${items.join("\n")}\n</dl>`;
}

function key(entries: readonly (readonly [drawing: string, name: string])[]): string {
  const items = entries.map(
    ([drawing, name]) => `<li><svg viewBox="0 0 22 14" aria-hidden="true">${drawing}</svg>${name}</li>`,
  );
  return `<ul class="key">${items.join("")}</ul>`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function priceAt(instrument: Instrument, ticks: number | undefined): string {
  return formatPrice(instrument, (ticks ?? 0) as PriceTicks);
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
