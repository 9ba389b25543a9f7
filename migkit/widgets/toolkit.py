"""What panels have in common: ipywidgets, imported when a panel is made, and how errors and states look."""

from __future__ import annotations

import threading
from typing import Any

from migkit.display.card import sign_html, tone
from migkit.display.escape import escape
from migkit.display.live_view import ended_html, live_html
from migkit.display.style import styled
from migkit.display.units import duration
from migkit.errors import MigkitError, MissingExtra
from migkit.widgets.job import Job

_ENDINGS = {"done": "done", "stopped": "interrupted", "failed": "failed"}


def ipywidgets() -> Any:
    """Return the package ipywidgets.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import ipywidgets
    except ImportError:
        raise MissingExtra("ipywidgets", "notebook", "A panel") from None
    return ipywidgets


class Panel:
    """A panel shows itself at the end of a cell; :attr:`box` is the widget.

    Parameters
    ----------
    title : str
        What it is, for people who cannot see it.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.lock = threading.RLock()
        self.box: Any = None

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = self.box._repr_mimebundle_(**options)
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        data["text/plain"] = f"{self.title} (a panel: run the cell in Jupyter to use it)"
        return (data, *metadata) if metadata else data

    def __repr__(self) -> str:
        return f"<{self.title}>"


def html(classes: str, value: str = "") -> Any:
    """Return a widget that shows HTML."""
    widget = ipywidgets().HTML(value=value)
    widget.layout.margin = "0"
    for name in classes.split():
        widget.add_class(name)
    return widget


def button(words: str, classes: str, *, icon: str = "", kind: str = "", tooltip: str = "") -> Any:
    """Return a button as wide as its words."""
    made = ipywidgets().Button(description=words, icon=icon, button_style=kind, tooltip=tooltip or words)
    made.layout.width = "auto"
    for name in classes.split():
        made.add_class(name)
    return made


def state_html(sign: str, words: str, more: str = "") -> str:
    """Return one line with a sign: the state of a connection, an error; both parts are escaped here."""
    rest = f' <span class="mk-quiet">{escape(more)}</span>' if more else ""
    return styled(f'<p class="mk-state {tone(sign)}" role="status">{sign_html(sign)}{escape(words)}{rest}</p>')


def error_html(error: BaseException) -> str:
    """Return an error as a line: what, where and what next."""
    if isinstance(error, MigkitError):
        what = f"{error.where}: {error.what}" if error.where else error.what
        return state_html("✗", what, error.next_step or "")
    return state_html("✗", f"{type(error).__name__}: {error}")


def job_html(job: Job, noun: str, done: str = "") -> str:
    """Return how a job stands: live while it runs, static afterwards.

    Parameters
    ----------
    job : Job
        The job.
    noun : str
        What it does: ``Rehearsal``.
    done : str
        What it did, for "… in 3 s"; by default "Rehearsal done".
    """
    if job.state == "idle":
        return ""
    if job.is_running:
        return live_html(job.live.moment())
    ending, took = _ENDINGS[job.state], duration(job.seconds)
    words = {
        "done": f"{done or f'{noun} done'} in {took}",
        "interrupted": f"{noun} stopped after {took}: cancelled on the server, too",
        "failed": f"{noun} broke off after {took}",
    }[ending]
    told = error_html(job.error) if job.state == "failed" and job.error else ""
    return ended_html(job.live.moment(ended=True), ending, title=words) + told
