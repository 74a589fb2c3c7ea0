"""How a report looks: on a phone, on a desk, on paper, by day and by night. Asks for no file."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f4f5f7; --ink: #1c1f23; --soft: #5a626d; --line: #d5d9df;
  --train: #6b7683; --validation: #0b63c5; --mark: #b3541e; --bad: #b3261e; --hit: 11, 99, 197;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15181c; --raised: #1e2329; --ink: #e6e9ed; --soft: #a0a9b4; --line: #363d46;
    --train: #96a1ae; --validation: #6cb2ff; --mark: #f0a36b; --bad: #ff8a80; --hit: 108, 178, 255;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header, main, footer { max-width: 60rem; margin: 0 auto; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
a { color: var(--validation); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; list-style: none; }
.lead { font-size: 1.15rem; }
.soft, caption, figcaption, dt { color: var(--soft); }
.bad { color: var(--bad); font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .7rem; }
dd { margin: 0; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th, td { overflow-wrap: normal; }
th.word, td.word, tbody th { overflow-wrap: break-word; }
thead th { vertical-align: bottom; }
th.word, td.word, tbody th { text-align: left; }
tbody th { font-weight: 500; }
td.hit { background: rgba(var(--hit), var(--share)); }
td.miss { background: color-mix(in srgb, var(--mark) calc(var(--share) * 100%), transparent); }
pre { background: var(--raised); padding: .8rem; overflow-x: auto; font-size: .85rem; }
figure { margin: .8rem 0; overflow-x: auto; }
svg { width: 100%; min-width: 34rem; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--line); stroke-width: 1; }
.border { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 4; }
.kept { stroke: var(--mark); stroke-width: 1.5; }
svg text.kept { fill: var(--mark); stroke: none; }
.train { stroke: var(--train); fill: none; stroke-width: 2; stroke-dasharray: 6 3; }
.validation { stroke: var(--validation); fill: none; stroke-width: 2.5; }
circle.train { fill: var(--train); stroke: none; }
circle.validation { fill: var(--validation); stroke: none; }
svg text.train { fill: var(--train); stroke: none; }
svg text.validation { fill: var(--validation); stroke: none; }
.errors { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem; }
.errors figure { margin: 0; }
.errors img { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--raised); }
.errors img.small { image-rendering: pixelated; }
.missing { aspect-ratio: 1; padding: .6rem; background: var(--raised); color: var(--soft); }
footer { margin-top: 3rem; color: var(--soft); font-size: .9rem; }
@media (max-width: 30rem) { th, td { padding: .25rem .35rem; } }
@media print {
  body { padding: 0; font-size: 10pt; }
  nav { display: none; }
  .wide, pre, figure { overflow: visible; }
  pre { white-space: pre-wrap; }
  figure, tr, .errors figure { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
