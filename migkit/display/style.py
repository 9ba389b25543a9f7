"""The style sheet of every fragment: borrows the reader's colours, so that it fits light and dark themes alike.

A page may set ``--mk-good``, ``--mk-warn`` and ``--mk-bad``. Elsewhere each tone is mixed with the colour of the text
around it, which JupyterLab, VS Code and plain pages all set: darker on light themes, lighter on dark ones.
"""

from __future__ import annotations

FRAGMENT_CSS = """
.mk{--good:var(--mk-good,color-mix(in srgb,#2b9a55 66%,currentColor));
--warn:var(--mk-warn,color-mix(in srgb,#b7791f 66%,currentColor));
--bad:var(--mk-bad,color-mix(in srgb,#d6504a 70%,currentColor));
--blue:color-mix(in srgb,#2878c8 70%,currentColor);
--quiet:color-mix(in srgb,currentColor 78%,transparent);
--line:color-mix(in srgb,currentColor 16%,transparent);--faint:color-mix(in srgb,currentColor 6%,transparent);
color:inherit;font-family:var(--jp-ui-font-family,var(--vscode-font-family,inherit));
font-size:.875rem;line-height:1.5;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.mk p{margin:.4em 0}
.mk-quiet{color:var(--quiet)}
.mk-good{--tone:var(--good)}.mk-warn{--tone:var(--warn)}.mk-bad{--tone:var(--bad)}.mk-plain{--tone:currentColor}
.mk-sign{color:var(--tone,inherit);font-weight:700;display:inline-block;min-width:1.1em;margin-right:.25em}
.mk-card{border:1px solid var(--line);border-left:3px solid var(--tone,var(--line));border-radius:6px;
padding:.75em 1.1em;margin:.3em 0;max-width:60rem}
.mk-card.mk-plain{border-left-color:var(--line)}
.mk p.mk-title{font-size:1.05em;margin:0}
.mk-title strong{font-weight:650}
.mk dl.mk-figures{display:flex;flex-wrap:wrap;gap:.4em 2.6em;margin:.7em 0 .5em;padding:0}
.mk dl.mk-figures div{margin:0}
.mk dl.mk-figures dt{font-size:.82em;color:var(--quiet);margin:0;font-weight:400;float:none;width:auto}
.mk dl.mk-figures dd{margin:0;font-size:1.2em;font-weight:600;line-height:1.3;float:none;width:auto}
.mk-figures dd small{font-weight:400;font-size:.7em;color:var(--quiet)}
.mk ul.mk-lines{list-style:none;margin:.4em 0;padding:0}
.mk ul.mk-lines li{margin:.1em 0;padding-left:1.5em;text-indent:-1.5em;list-style:none}
.mk-lines li .mk-sign{text-indent:0;min-width:1.5em;margin-right:0}
.mk details{margin:.3em 0}
.mk summary{cursor:pointer;width:fit-content;border-radius:3px}
.mk summary:focus-visible,.mk-scroll:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
.mk-scroll{overflow-x:auto;max-width:100%}
.mk table.mk-table{border-collapse:collapse;margin:.4em 0;font-size:.95em;border:0;table-layout:auto}
.mk .mk-table caption{caption-side:top;text-align:left;color:var(--quiet);padding:.2em 0}
.mk .mk-table th,.mk .mk-table td{padding:.28em .9em .28em 0;border:0;border-bottom:1px solid var(--line);
vertical-align:top;white-space:normal;overflow-wrap:break-word;background:none;color:inherit;font-weight:400;max-width:32em}
.mk .mk-table thead th{font-size:.86em;color:var(--quiet);white-space:nowrap}
.mk table.mk-table tr:nth-child(n){background:none}
.mk .mk-table .mk-number{white-space:nowrap}
.mk pre,.mk code{font-family:var(--jp-code-font-family,var(--vscode-editor-font-family,ui-monospace)),
SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em;color:inherit;background:none}
.mk pre{white-space:pre-wrap;margin:.3em 0;padding:.6em .8em;background:var(--faint);
border-radius:4px;overflow-wrap:anywhere}
"""

LIVE_CSS = """
.mk-live{max-width:60rem;margin:.3em 0}
.mk p.mk-ended,.mk p.mk-stage{margin:.2em 0}
.mk-stage{display:flex;justify-content:space-between;gap:1em}
.mk-bar{height:4px;border-radius:2px;background:var(--line);overflow:hidden;margin:.3em 0 .7em}
.mk-bar span{display:block;height:100%;border-radius:2px;background:var(--blue);transition:width .3s linear}
.mk-moving span{width:22%;animation:mk-move 1.6s ease-in-out infinite alternate}
@keyframes mk-move{from{margin-left:0}to{margin-left:78%}}
@media (prefers-reduced-motion:reduce){.mk-bar span{transition:none}
.mk-moving span{animation:none;width:100%;opacity:.5}}
.mk-unseen{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;white-space:nowrap}
.mk table.mk-timeline{border-collapse:collapse;width:100%;margin:.6em 0 .2em;font-size:.92em;border:0;
table-layout:fixed}
.mk .mk-timeline caption{caption-side:top;text-align:left;color:var(--quiet);padding:.2em 0;font-size:.95em}
.mk .mk-timeline th,.mk .mk-timeline td{border:0;background:none;padding:.16em .8em .16em 0;text-align:left;
vertical-align:middle;font-weight:400;color:inherit;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;max-width:none}
.mk table.mk-timeline tbody tr:nth-child(n){background:none}
.mk .mk-timeline tbody th{width:20%}
.mk .mk-timeline td:last-child{width:42%;padding-right:0}
.mk .mk-timeline td.mk-track{position:relative;height:1.7em;padding:0;overflow:visible;
border-left:1px solid var(--line);border-right:1px solid var(--line)}
.mk .mk-timeline td.mk-track+td{padding-left:.9em}
.mk-track span{position:absolute;top:.42em;height:.86em;border-radius:2px;min-width:2px;box-sizing:border-box}
.mk-track i{position:absolute;top:0;bottom:0;width:1px;background:var(--line)}
.mk-lock-reads{background:repeating-linear-gradient(-45deg,var(--bad) 0 5px,
color-mix(in srgb,var(--bad) 62%,transparent) 5px 9px)}
.mk-lock-writes{background:color-mix(in srgb,var(--warn) 80%,transparent)}
.mk-waited{border:1.5px solid var(--quiet)}
.mk-curves{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:.6em 1.6em;margin:.6em 0}
@media (max-width:40rem){.mk-curves{grid-template-columns:repeat(2,minmax(0,1fr))}}
.mk-curves figure{margin:0}
.mk-curves figcaption{display:flex;justify-content:space-between;gap:.8em;font-size:.92em;margin:0;text-align:left}
.mk-curves svg{display:block;width:100%;height:3rem;border-bottom:1px solid var(--line)}
.mk-curves polyline{fill:none;stroke-linejoin:round;
stroke:var(--blue);stroke-width:1.6;vector-effect:non-scaling-stroke}
.mk-curves line{stroke:var(--warn);stroke-width:1.4;stroke-dasharray:3 3;vector-effect:non-scaling-stroke}
"""


def styled(fragment: str, *, live: bool = False) -> str:
    """Return a fragment with its style sheet, for a notebook; without the sheet it reads as plain HTML.

    Parameters
    ----------
    fragment : str
        HTML.
    live : bool
        It shows progress, which has a sheet of its own.
    """
    return f'<div class="mk"><style>{FRAGMENT_CSS}{LIVE_CSS if live else ""}</style>{fragment}</div>'
