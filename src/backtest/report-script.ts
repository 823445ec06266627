/** The script of the report's page: draws the embedded data with the embedded chart library; asks the network for nothing. */

export const REPORT_SCRIPT = String.raw`
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const utc = (seconds) => new Date(seconds * 1000).toISOString();
  const tidy = (value, digits) => value.toFixed(digits).replace(/\.?0+$/, "");
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
  const DAY = 86400;

  const timeLabels = (chart, splits, axis, space, step) => splits.map((at, i) => {
    const text = utc(at);
    if (step >= 28 * DAY) return text.slice(0, 7);
    const showsDate = i === 0 || text.slice(0, 10) !== utc(splits[i - 1]).slice(0, 10);
    if (step >= DAY) return text.slice(5, 10) + (i === 0 ? "\n" + text.slice(0, 4) : "");
    return text.slice(11, step < 60 ? 19 : 16) + (showsDate ? "\n" + text.slice(5, 10) : "");
  });
  const numberLabels = (chart, splits) => splits.map((value) => tidy(value, 10));
  const labelWidth = (chart, labels) => {
    if (!labels) return 40;
    chart.ctx.font = FONT;
    return 16 + Math.max(...labels.map((label) => chart.ctx.measureText(label).width));
  };
  const axis = (options) => ({
    font: FONT, stroke: colour("muted"), grid: { stroke: colour("rule"), width: 1 },
    ticks: { stroke: colour("rule"), width: 1, size: 5 }, ...options,
  });
  const timeAxis = () => axis({ values: timeLabels, space: 64, size: 44 });
  const amountAxis = (options) => axis({ values: numberLabels, size: labelWidth, ...options });
  const timeSeries = (length) => ({ label: "UTC", value: (chart, at) => at == null ? "–" : utc(at).slice(0, length).replace("T", " ") });
  const shown = (digits) => (chart, value) => value == null ? "–" : tidy(value, digits);
  const line = (label, name, digits, options) =>
    ({ label, stroke: colour(name), width: 1.5, points: { show: false }, value: shown(digits), ...options });
  const padded = (low, high) => {
    const room = (high - low) * 0.04 || Math.abs(high) * 0.01 || 1;
    return [low - room, high + room];
  };

  const drawLevels = (chart) => {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = colour("level");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    let before = -Infinity;
    for (const level of data.levels.toReversed()) {
      const y = Math.round(chart.valToPos(level, "y", true)) + 0.5;
      // Levels nearer than three pixels would be one grey block.
      if (y < bbox.top || y > bbox.top + bbox.height || y - before < 3 * devicePixelRatio) continue;
      before = y;
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
    }
    ctx.stroke();
    ctx.restore();
  };
  const drawMarkers = (chart) => {
    const { ctx, bbox } = chart;
    const { time, price, side } = data.markers;
    const r = (chart.width < 600 ? 3 : 4) * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - r, bbox.top, bbox.width + 2 * r, bbox.height);
    ctx.clip();
    ctx.strokeStyle = colour("page");
    ctx.lineWidth = devicePixelRatio;
    time.forEach((at, i) => {
      const x = chart.valToPos(at, "x", true);
      if (x < bbox.left - r || x > bbox.left + bbox.width + r) return;
      const y = chart.valToPos(price[i], "y", true);
      const tip = side[i] > 0 ? -r : r;
      ctx.fillStyle = colour(side[i] > 0 ? "buy" : "sell");
      ctx.beginPath();
      ctx.moveTo(x, y + tip);
      ctx.lineTo(x - r, y - tip);
      ctx.lineTo(x + r, y - tip);
      ctx.closePath();
      ctx.fill();
      ctx.stroke();
    });
    ctx.restore();
  };

  const levels = data.levels;
  const charts = {
    price: {
      height: 400,
      data: [data.price.time, data.price.price],
      options: () => ({
        series: [timeSeries(16), line("price", "line", 8, { width: 1.25 })],
        axes: [timeAxis(), amountAxis()],
        scales: { y: { range: (chart, low, high) => padded(Math.min(low, levels[0]), Math.max(high, levels.at(-1))) } },
        hooks: { drawAxes: [drawLevels], draw: [drawMarkers] },
      }),
    },
    equity: {
      height: 300,
      data: [data.equity.time, data.equity.grid, data.equity.hold],
      options: () => ({
        series: [timeSeries(16), line("grid", "buy", 4), line("holding", "sell", 4, { dash: [6, 4] })],
        axes: [timeAxis(), amountAxis()],
        scales: { y: { range: (chart, low, high) => padded(low, high) } },
      }),
    },
    drawdown: {
      height: 220,
      data: [data.equity.time, data.equity.drawdown],
      options: () => ({
        series: [timeSeries(16), line("drawdown", "fall", 4, { fill: colour("fall") + "33", fillTo: 0 })],
        axes: [timeAxis(), amountAxis()],
        scales: { y: { range: (chart, low) => [low < 0 ? low * 1.06 : -1, 0] } },
      }),
    },
    days: {
      height: 220,
      data: [data.days.time, data.days.trades],
      options: () => ({
        series: [
          timeSeries(10),
          line("trades", "bar", 0, { width: 0, fill: colour("bar"), paths: uPlot.paths.bars({ size: [0.8, 48], align: 1 }) }),
        ],
        axes: [
          { ...timeAxis(), incrs: [1, 2, 3, 5, 7, 14, 28, 91, 182, 364, 728].map((days) => days * DAY) },
          amountAxis({ incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] }),
        ],
        scales: {
          x: { range: () => [data.days.time[0], data.days.time.at(-1) + DAY] },
          y: { range: (chart, low, high) => [0, Math.max(1, high * 1.06)] },
        },
      }),
    },
  };

  const draw = (name) => {
    const { height, data: columns, options } = charts[name];
    const place = document.getElementById("chart-" + name);
    place.replaceChildren();
    const sync = name === "days" ? undefined : { key: "time" };
    const chart = new uPlot({
      width: place.clientWidth, height: Math.min(height, Math.max(200, place.clientWidth * 0.75)),
      padding: [12, 32, null, null],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      legend: { live: true }, cursor: { y: false, drag: { x: name !== "days", y: false }, sync }, ...options(),
    }, columns, place);
    chart.ctx.canvas.setAttribute("role", "img");
    chart.ctx.canvas.setAttribute("aria-label", place.dataset.label);
    charts[name].chart = chart;
  };
  const names = Object.keys(charts);
  names.forEach(draw);

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => names.forEach(draw));
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    names.forEach(draw);
  });
  document.documentElement.dataset.charts = "drawn";
})();
`;
