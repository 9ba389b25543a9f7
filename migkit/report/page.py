"""The page around an executed notebook: one file, no script, no network, light and dark, ready to print."""

from __future__ import annotations

from migkit.display.escape import escape
from migkit.display.style import FRAGMENT_CSS

PAGE_CSS = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1d2126;--mk-good:#187a47;--mk-warn:#925f00;--mk-bad:#bf3328;
--rule:color-mix(in srgb,currentColor 14%,transparent)}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e4e7eb;
--mk-good:#4fc58c;--mk-warn:#e2ab45;--mk-bad:#ff8a80}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:58rem;margin:0 auto;padding:2.6rem 1.5rem 4rem}
h1,h2,h3{line-height:1.2;text-wrap:balance}
h2{font-size:1.22rem;font-weight:650;margin:2.9rem 0 .7rem;padding-top:1.1rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.3rem 0 .3rem}
p{max-width:44rem;margin:.45rem 0}
.mk{font-size:.95rem}
.mk-verdict{border-left:6px solid var(--tone);border-radius:4px 10px 10px 4px;padding:1.5rem 1.8rem 1.3rem;
background:color-mix(in srgb,var(--tone) 8%,transparent)}
.mk-verdict h1{font-size:2.7rem;font-weight:700;letter-spacing:-.02em;margin:.1rem 0 .5rem;color:var(--tone)}
.mk-verdict h1 .mk-sign{margin-right:.3em;min-width:0}
.mk-kind{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;opacity:.7;margin:0!important}
.mk-subject{font-size:1.12rem}
.mk-why{font-size:1.02rem}
.mk-verdict .mk-figures{gap:1rem 3rem;margin:1.3rem 0 0;padding-top:1.1rem;
border-top:1px solid color-mix(in srgb,var(--tone) 28%,transparent)}
.mk-verdict .mk-figures dd{font-size:1.5rem;font-weight:650;letter-spacing:-.01em;line-height:1.25}
.mk-verdict .mk-figures dd small{display:block;font-size:.86rem;letter-spacing:0}
.mk-about{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.6rem;margin:1.7rem 0 1.3rem;font-size:.95rem}
.mk-about div{display:contents}
.mk-about dt{opacity:.68}
.mk-about dd{margin:0}
.mk-steps{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;margin:1.2rem 0 0;padding:.8rem 0 0;
border-top:1px solid var(--rule);font-size:.9rem}
.mk-steps small{opacity:.68}
.mk-plot{margin:1.1rem 0 1.3rem;max-width:52rem}
.mk-plot svg{display:block;width:100%;height:auto;color:inherit}
.mk-plot svg text{font-family:inherit!important}
.mk-count{opacity:.72}
.mk summary{padding:.15rem 0}
.mk-statements{margin:.3rem 0;padding-left:2rem}
.mk-statements li::marker{color:color-mix(in srgb,currentColor 60%,transparent)}
.mk-findings{list-style:none;margin:0;padding:0}
.mk-findings li{border-left:3px solid var(--tone);padding:.1rem 0 .1rem 1rem;margin:0 0 1.2rem}
.mk-findings p{margin:.2rem 0}
.mk-signature dl{display:grid;grid-template-columns:repeat(3,1fr);gap:1.5rem;margin:1.5rem 0 0}
.mk-signature dt{font-size:.85rem;opacity:.68}
.mk-signature dd{margin:2.6rem 0 0;border-bottom:1px solid currentColor}
.mk-signature div{display:flex;flex-direction:column-reverse}
.mk-choice{white-space:nowrap;margin-left:1rem}
footer{margin-top:3rem;font-size:.85rem;opacity:.68}
@media (max-width:36rem){main{padding:1.2rem 1rem 3rem}.mk-verdict{padding:1.1rem 1.1rem}
.mk-verdict h1{font-size:2.1rem}
.mk-about{grid-template-columns:1fr;gap:0}.mk-about dd{margin-bottom:.5rem}.mk-signature dl{grid-template-columns:1fr}
.mk-plot{overflow-x:auto}.mk-plot svg{min-width:33rem}}
@page{size:A4;margin:15mm 14mm}
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--mk-good:#12683b;--mk-warn:#7a4f00;--mk-bad:#a32218}
html{font-size:9.5pt}main{max-width:none;padding:0}h2{margin-top:1.8rem;break-after:avoid}
.mk-verdict,.mk-plot,.mk-findings li,.mk-signature,tr{break-inside:avoid}
.mk-scroll{overflow:visible}.mk table.mk-table{width:100%;font-size:8pt}
.mk .mk-table th,.mk .mk-table td{max-width:none;overflow-wrap:anywhere}
.mk-verdict,.mk pre{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page_html(title: str, body: str, extra_css: str = "") -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        Text; escaped here.
    body : str
        HTML.
    extra_css : str
        Rules of this page alone.
    """
    return _PAGE.format(title=escape(title), style=FRAGMENT_CSS + PAGE_CSS + extra_css, body=body)
