"""Telling people how a deploy ended, through Apprise; what cannot be delivered is reported and changes nothing."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from migkit.errors import MissingExtra
from migkit.redaction import redact, register_secret

_STATUS = re.compile(r"\berror[= ](\d{3})\b")
_SHOWN_SCHEMA = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")


def notify(urls: Sequence[str], title: str, body: str) -> list[str]:
    """Tell every address.

    Parameters
    ----------
    urls : sequence of str
        Apprise URLs, or ``env:NAME`` for the variable that holds one. They are secrets: none is ever shown.
    title, body : str
        What is told, without secrets.

    Returns
    -------
    list of str
        What could not be delivered, and why; empty if all was. Nothing is raised: whatever is told has happened.
    """
    if not urls:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import apprise
    except ModuleNotFoundError:
        return [str(MissingExtra("apprise", "notify", "Notifying"))]
    problems = []
    for number, written in enumerate(urls, start=1):
        url = _resolved(written)
        name = written if written.startswith("env:") else _shown(written, number)
        if url is None:
            problems.append(f"{name}: the environment variable is not set")
            continue
        register_secret(url)
        problem = _tell(apprise, url, redact(title), redact(body))
        if problem:
            problems.append(f"{name}: {problem}")
    return problems


def _resolved(written: str) -> str | None:
    return os.environ.get(written.removeprefix("env:")) if written.startswith("env:") else written


def _shown(url: str, number: int) -> str:
    """Name an address by nothing but its kind: tokens stand anywhere in such a URL."""
    schema = _SHOWN_SCHEMA.match(url)
    return f"notification {number} ({schema[1]}://…)" if schema else f"notification {number}"


def _tell(apprise: Any, url: str, title: str, body: str) -> str | None:
    """Deliver one notification; return what went wrong."""
    address = apprise.Apprise()
    with _heard() as lines, warnings.catch_warnings():
        # What its services import is old in places, which is no business of whoever is told.
        warnings.simplefilter("ignore")
        try:
            if not address.add(url):
                return "this is no address that Apprise knows"
            if address.notify(title=title, body=body, body_format="text"):
                return None
        except Exception as error:  # whatever a service's code runs into: the deploy has ended, and ended as it did
            return f"{type(error).__name__} while it was being delivered"
    status = next((found[1] for line in lines if (found := _STATUS.search(line))), None)
    return f"it was refused with status {status}" if status else "it could not be delivered"


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Listen to what Apprise says, and keep it from the terminal: it may name addresses."""
    lines: list[str] = []
    logger = logging.getLogger("apprise")

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    ear, propagates, level = Ear(), logger.propagate, logger.level
    logger.addHandler(ear)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        logger.removeHandler(ear)
        logger.propagate = propagates
        logger.setLevel(level)
