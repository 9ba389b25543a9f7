"""The style sheet of every fragment: borrows the reader's colours, so that it fits light and dark themes alike.

A page may set ``--mk-good``, ``--mk-warn`` and ``--mk-bad``; elsewhere mid-tones serve that read on white and on black.
"""

from __future__ import annotations

FRAGMENT_CSS = """
.mk{--good:var(--mk-good,#2b9a55);--warn:var(--mk-warn,#b7791f);--bad:var(--mk-bad,#d6504a);
--line:color-mix(in srgb,currentColor 16%,transparent);--faint:color-mix(in srgb,currentColor 5%,transparent);
color:inherit;font-size:.875rem;line-height:1.5;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.mk p{margin:.4em 0}
.mk-quiet{opacity:.72}
.mk-good{--tone:var(--good)}.mk-warn{--tone:var(--warn)}.mk-bad{--tone:var(--bad)}.mk-plain{--tone:currentColor}
.mk-sign{color:var(--tone,inherit);font-weight:700;display:inline-block;min-width:1.3em}
.mk-card{border:1px solid var(--line);border-left:4px solid var(--tone,var(--line));border-radius:6px;
padding:.7em 1em;margin:.3em 0;max-width:60rem}
.mk-title{font-size:1.05em;margin:0}
.mk-title strong{font-weight:650}
.mk-figures{display:flex;flex-wrap:wrap;gap:.3em 2.2em;margin:.6em 0 .3em;padding:0}
.mk-figures div{margin:0}
.mk-figures dt{font-size:.82em;opacity:.72;margin:0;font-weight:400}
.mk-figures dd{margin:0;font-size:1.15em;font-weight:600}
.mk-figures dd small{font-weight:400;font-size:.72em;opacity:.72}
.mk-lines{list-style:none;margin:.4em 0;padding:0}
.mk-lines li{margin:.1em 0;padding-left:1.5em;text-indent:-1.5em;list-style:none}
.mk-lines li .mk-sign{text-indent:0;min-width:1.5em}
.mk details{margin:.35em 0}
.mk summary{cursor:pointer}
.mk-scroll{overflow-x:auto;max-width:100%}
.mk table.mk-table{border-collapse:collapse;margin:.4em 0;font-size:.95em;border:0;table-layout:auto}
.mk .mk-table caption{caption-side:top;text-align:left;opacity:.72;padding:.2em 0}
.mk .mk-table th,.mk .mk-table td{padding:.28em .9em .28em 0;border:0;border-bottom:1px solid var(--line);
vertical-align:top;white-space:normal;overflow-wrap:break-word;background:none;color:inherit;font-weight:400;max-width:32em}
.mk .mk-table thead th{font-size:.86em;opacity:.72;white-space:nowrap}
.mk .mk-table tr{background:none}
.mk .mk-table .mk-number{white-space:nowrap}
.mk pre,.mk code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
font-size:.92em;color:inherit;background:none}
.mk pre{white-space:pre-wrap;margin:.3em 0;padding:.6em .8em;background:var(--faint);
border-radius:4px;overflow-wrap:anywhere}
"""


def styled(fragment: str) -> str:
    """Return a fragment with its style sheet, for a notebook; without the sheet it reads as plain HTML."""
    return f'<div class="mk"><style>{FRAGMENT_CSS}</style>{fragment}</div>'
