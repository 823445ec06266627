/** The style of the report's page: one column, from a phone to a desk, light or dark as the reader's system is. */

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --rule: #d5d9e0; --ink: #1a1d23; --muted: #575f6e;
  --line: #3d4657; --buy: #0b6bcb; --sell: #b8480a; --level: #aab2bf; --fall: #a3246d; --bar: #0b6bcb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --panel: #1d2128; --rule: #363c47; --ink: #e8eaee; --muted: #a3abb9;
    --line: #c3cad6; --buy: #66b1ff; --sell: #ffa361; --level: #525b6a; --fall: #f08fc3; --bar: #66b1ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 8px 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 32px 0 8px; }
p { margin: 4px 0; }
.muted, figcaption, footer { color: var(--muted); font-size: 0.9rem; }
.warning { border-left: 4px solid var(--sell); padding: 8px 12px; background: var(--panel); margin: 12px 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 255px), 1fr)); gap: 0 24px; margin: 0; }
dl div {
  display: flex; justify-content: space-between; gap: 12px; padding: 5px 0; border-bottom: 1px solid var(--rule);
}
dl div.wide { grid-column: 1 / -1; justify-content: flex-start; }
dl div.wide dd { text-align: left; }
dt { color: var(--muted); white-space: nowrap; }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
dl.headline { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 16px 0 8px; }
dl.headline div {
  display: block; padding: 10px 14px; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px;
}
dl.headline dd { text-align: left; font-size: 1.2rem; font-weight: 600; }
figure { margin: 0; }
figcaption p { margin: 4px 0; }
.chart { width: 100%; min-height: 200px; }
.key { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 4px 0; padding: 0; list-style: none; font-size: 0.9rem; }
.key li { display: flex; align-items: center; gap: 6px; }
.key svg { width: 22px; height: 14px; flex: none; }
.uplot { width: 100%; font-family: inherit; }
.uplot .u-legend { font-size: 0.85rem; min-height: 2em; font-variant-numeric: tabular-nums; text-align: left; margin: 0; }
.uplot .u-legend .u-marker { display: none; }
.u-select { background: rgba(128, 128, 128, 0.25); }
@media (max-width: 600px) {
  dl.headline div { padding: 8px 10px; }
  dl.headline dd { font-size: 0.95rem; }
  .uplot .u-legend { min-height: 3.6em; }
}
footer { margin: 40px 0 16px; border-top: 1px solid var(--rule); padding-top: 8px; }
a { color: var(--buy); }
`;
