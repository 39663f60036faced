/** How the page looks: on paper, on a light and on a dark screen. */
export const style = `
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5a6675; --line: #d9dee5; --page: #fff; --card: #f5f7fa;
  --good: #10703f; --bad: #b3261e; --warn: #fff4d6; --c0: #1f5fa8; --c1: #2b8a8a; --c2: #c46210; --c3: #8d99a8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #a3aebc; --line: #38424f; --page: #14191f;
  --card: #1d242c; --good: #5fd39a; --bad: #ff8f85; --warn: #3c3214; --c0: #6aa9ee; --c1: #57c2c2; --c2: #f0a35e; --c3: #8b97a6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1120px; background: var(--page); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 24px; line-height: 1.2; margin: 0; }
h2 { font-size: 15px; margin: 0 0 6px; }
header p, .stamp { color: var(--soft); margin: 4px 0 0; }
.warning { background: var(--warn); border-left: 4px solid var(--c2); padding: 8px 12px; margin: 12px 0; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 16px 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
.tiles .label { font-weight: 600; }
.tiles .value { display: flex; justify-content: space-between; align-items: center; gap: 8px; font-size: 26px;
  font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; flex-wrap: wrap; white-space: nowrap; }
.tiles .value.long { font-size: 18px; }
.tiles .detail, .tiles .comparison { color: var(--soft); font-size: 12px; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 28px; } .columns > div { min-width: 0; }
section { break-inside: avoid; border-top: 2px solid var(--line); padding: 8px 0 16px; }
.scroll { overflow-x: auto; margin: 6px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
caption { text-align: left; color: var(--soft); font-size: 12px; padding-bottom: 2px; }
th, td { text-align: left; vertical-align: top; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
td.number { white-space: nowrap; }
.number + td:not(.number), .number + th:not(.number) { padding-left: 8px; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 600; font-size: 12px; vertical-align: bottom; }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 7em; }
.number { text-align: right; }
.sum th, .sum td { border-top: 2px solid var(--line); font-weight: 600; }
small { display: block; color: var(--soft); font-size: 11px; font-weight: 400; }
.good { color: var(--good); } .bad { color: var(--bad); }
p { margin: 4px 0; }
.bar { display: inline-block; vertical-align: middle; height: 9px; margin-left: 6px; background: var(--c0); border-radius: 2px; }
svg.spark { width: 72px; height: 20px; flex: none; }
svg.spark path { fill: none; stroke: var(--c0); stroke-width: 1.6; }
svg.spark .now { fill: var(--c0); } svg.spark .then { fill: var(--c3); }
svg.split { display: block; width: 100%; height: 18px; margin: 6px 0; border-radius: 3px; }
svg.stacks { height: 120px; max-width: 100%; float: left; margin-right: 28px; }
svg.stacks text { fill: var(--ink); font-size: 11px; text-anchor: middle; }
.layer0 { fill: var(--bad); } .layer1 { fill: var(--c2); } .layer2 { fill: var(--c0); } .layer3 { fill: var(--c3); }
.part0 { fill: var(--c0); } .part1 { fill: var(--c1); } .part2 { fill: var(--bad); } .part3 { fill: var(--c2); }
ul.legend { list-style: none; padding: 0; margin: 4px 0; font-size: 12px; }
ul.legend svg { width: 10px; height: 10px; margin-right: 6px; }
footer { margin-top: 18px; border-top: 2px solid var(--line); padding-top: 8px; font-size: 12px; color: var(--soft); }
footer ul { margin: 4px 0; padding-left: 18px; }
@media screen and (max-width: 760px) { body { padding: 14px; } .tiles { grid-template-columns: 1fr 1fr; } 
  .columns { grid-template-columns: 1fr; } section.wide table { min-width: 640px; }
  svg.stacks { float: none; display: block; } }
@page { margin: 11mm; }
@media print { :root { color-scheme: light; --ink: #1b2430; --soft: #4c5763; --line: #d0d6de; --page: #fff; --card: #f5f7fa;
  --good: #10703f; --bad: #b3261e; --warn: #fff4d6; --c0: #1f5fa8; --c1: #2b8a8a; --c2: #c46210; --c3: #8d99a8; }
  body { padding: 0; max-width: none; font-size: 10px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h1 { font-size: 18px; } h2 { font-size: 11.5px; margin-bottom: 2px; } table { font-size: 9px; } thead th, caption, footer, ul.legend { font-size: 8.5px; }
  small { font-size: 8px; } th, td { padding: 1.5px 6px 1.5px 0; } .tiles { margin: 8px 0; gap: 8px; } .tiles li { padding: 5px 8px; }
  .tiles .value { font-size: 18px; } .tiles .detail, .tiles .comparison { font-size: 8.5px; } section { padding: 4px 0 6px; } .columns { gap: 0 18px; }
  .scroll { overflow: visible; } svg.stacks { height: 92px; } tbody th { min-width: 0; } footer { margin-top: 8px; } }
`;
