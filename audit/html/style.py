"""The page's stylesheet: screens light and dark, paper, and eyes that see colours differently.

Colours are from Okabe and Ito's palette, darkened until text and lines reach the contrast of WCAG AA on their
ground; tests/unit/audit/test_report.py computes it.
"""

import base64
import hashlib

CSS = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f5f6f4; --ink: #1b1f23; --soft: #4d565f; --rule: #c9cfd4; --link: #00538a;
  --good: #00694d; --good-tint: #e2f3ed; --bad: #9b2c00; --bad-tint: #fdeadf;
  --open: #6b4e00; --open-tint: #fdf3d7;
  --version: #00538a; --version-tint: #d9ecf8; --policy: #6b4e00; --policy-tint: #fbeec3;
  --delivery: #9b2c00; --delivery-tint: #fbdccb; --ack: #00694d; --ack-tint: #d3efe5;
  --registry: #1b1f23; --registry-tint: #e3e6e8; --act: #6f2f5c; --act-tint: #f3dcea;
  --alarm: #9b0020; --alarm-tint: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181b; --panel: #1e2428; --ink: #eceff1; --soft: #b3bcc3; --rule: #46505a; --link: #8ecbf2;
    --good: #7fd9bb; --good-tint: #10332a; --bad: #ffb08a; --bad-tint: #45200f;
    --open: #f2cf6b; --open-tint: #3a2f0c;
    --version: #8ecbf2; --version-tint: #123a55; --policy: #f2cf6b; --policy-tint: #46380d;
    --delivery: #ffb08a; --delivery-tint: #552714; --ack: #7fd9bb; --ack-tint: #12402f;
    --registry: #eceff1; --registry-tint: #39434b; --act: #e9acd3; --act-tint: #4b2240;
    --alarm: #ff9aa8; --alarm-tint: #14181b;
  }
}
* { box-sizing: border-box; }
html { font-size: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink); line-height: 1.6;
  font-family: "Noto Sans", "Noto Sans Lao", "Noto Sans Khmer", "Noto Sans Myanmar", "Noto Sans Thai",
    "Noto Sans CJK SC", "Segoe UI", "Leelawadee UI", "Khmer UI", "Myanmar Text", "Microsoft YaHei",
    system-ui, sans-serif;
}
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.2rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip {
  position: absolute; left: 1rem; top: -6rem; padding: .5rem 1rem; background: var(--ink);
  color: var(--ground);
}
.skip:focus { top: 1rem; }
.kicker { margin: 0; color: var(--soft); letter-spacing: .02em; }
h1 { font-size: 2.1rem; line-height: 1.35; margin: .1rem 0 .2rem; text-wrap: balance; }
h2 { font-size: 1.35rem; margin: 2.8rem 0 .6rem; padding-top: .9rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { margin: .4rem 0; max-width: 46rem; }
.titles {
  margin: 0; padding: 0; list-style: none; font-size: 1.15rem; line-height: 1.75; color: var(--soft);
}
.verdict {
  display: flex; gap: 1rem; align-items: flex-start; margin: 1.4rem 0; padding: .9rem 1.2rem;
  border: 2px solid; border-left-width: .6rem; border-radius: .3rem;
}
.verdict p { margin: 0; color: var(--ink); max-width: none; }
.verdict .word { font-size: 1.2rem; font-weight: 700; letter-spacing: .04em; }
.verdict svg { flex: none; width: 2.4rem; height: 2.4rem; margin-top: .1rem; fill: none; stroke: currentColor;
  stroke-width: 2.4; stroke-linecap: round; stroke-linejoin: round; }
.verified { color: var(--good); background: var(--good-tint); }
.failed { color: var(--bad); background: var(--bad-tint); }
.incomplete { color: var(--open); background: var(--open-tint); }
.verdict ul { margin: .3rem 0 0; padding-left: 1.2rem; color: var(--ink); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: 0; padding: 0; list-style: none; }
dl {
  display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1.4rem;
  margin: .6rem 0;
}
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: .3rem 0 .5rem; }
th, td {
  text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0;
  border-bottom: 1px solid var(--rule);
}
thead th { border-bottom: 2px solid var(--ink); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
.number { text-align: right; }
td, th { overflow-wrap: anywhere; }
td code { font-size: .8em; }
.nowrap { white-space: nowrap; }
code {
  overflow-wrap: anywhere; font-size: .86em;
  font-family: "Noto Sans Mono", "DejaVu Sans Mono", Consolas, monospace;
}
ul.plain { margin: .3rem 0; padding-left: 1.2rem; }
.result { white-space: nowrap; font-weight: 600; }
.result span { display: inline-block; width: 1.3em; }
.result.passed { color: var(--good); }
.result.failed { color: var(--bad); }
.result.unchecked { color: var(--open); }
td.result { background: none; }
.rules { margin: .8rem 0; padding: .1rem 0 .1rem 1rem; border-left: 4px solid var(--policy); }
.rules h4 { margin: .2rem 0; font-size: 1rem; }
.note { color: var(--soft); }
figure { margin: 1rem 0 0; }
figcaption { color: var(--soft); margin-top: .4rem; }
.timeline { display: block; width: 100%; min-width: 46rem; height: auto; font-size: 12.5px; }
.timeline text { fill: var(--ink); }
.timeline .group { font-weight: 700; font-size: 13.5px; }
.timeline .row { fill: var(--ink); }
.timeline .date { font-weight: 600; }
.timeline .hour { fill: var(--soft); font-size: 11.5px; }
.timeline .guide { stroke: var(--rule); stroke-dasharray: 1 4; }
.timeline .track { stroke: var(--rule); }
.timeline .rule { stroke: var(--rule); }
.mark circle, .mark path, .mark rect {
  stroke-width: 2; stroke-linejoin: round; stroke: var(--k); fill: var(--t);
}
.mark .tick { fill: none; stroke-linecap: round; }
.mark text { font-size: 11px; }
.version { --k: var(--version); --t: var(--version-tint); }
.mark.policy { --k: var(--policy); --t: var(--policy-tint); }
.delivery { --k: var(--delivery); --t: var(--delivery-tint); }
.acknowledgement { --k: var(--ack); --t: var(--ack-tint); }
.registry { --k: var(--registry); --t: var(--registry-tint); }
.act { --k: var(--act); --t: var(--act-tint); } .alarm { --k: var(--alarm); --t: var(--alarm-tint); }
.legend {
  display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: .6rem 0 0; padding: 0; list-style: none;
}
.legend svg { width: 1.35rem; height: 1.35rem; vertical-align: -.32rem; }
footer { margin-top: 3rem; padding-bottom: 3rem; color: var(--soft); border-top: 1px solid var(--rule); }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } h1 { font-size: 1.6rem; }
}
@media print {
  @page { margin: 16mm 14mm; }
  :root {
    color-scheme: light;
    --ground: #ffffff; --panel: #ffffff; --ink: #000000; --soft: #333333; --rule: #999999; --link: #000000;
    --good: #004c38; --good-tint: #ffffff; --bad: #7a2200; --bad-tint: #ffffff;
    --open: #4a3600; --open-tint: #ffffff;
    --version: #00416d; --version-tint: #d9ecf8; --policy: #4a3600; --policy-tint: #fbeec3;
    --delivery: #7a2200; --delivery-tint: #fbdccb; --ack: #004c38; --ack-tint: #d3efe5;
    --registry: #000000; --registry-tint: #e3e6e8; --act: #55203f; --act-tint: #f3dcea;
    --alarm: #7a0018; --alarm-tint: #ffffff;
  }
  body { font-size: 10pt; }
  main, header, footer { max-width: none; padding: 0; }
  nav, .skip { display: none; }
  .timeline { min-width: 0; }
  .wide { overflow: visible; }
  thead { display: table-header-group; }
  tr, figure, .verdict, .rules, li { break-inside: avoid; }
  h2, h3, h4, caption { break-after: avoid; }
}
"""


def content_security_policy() -> str:
    """Nothing may be loaded and nothing may run; the only style is this one, by its digest."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
