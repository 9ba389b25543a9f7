"""What commands print: results on the standard output, progress and complaints on the standard error stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from migkit.display.escape import clean_line
from migkit.display.lines import Line
from migkit.display.progress import printable
from migkit.redaction import redact

RULE = "━" * 60


def say(*lines: str | Line) -> None:
    """Print lines on the standard output, without secrets."""
    for line in lines:
        click.echo(printable(redact(str(line)), sys.stdout))


def say_all(lines: Iterable[Line]) -> None:
    """Print many lines."""
    say(*lines)


def say_json(document: Mapping[str, Any]) -> None:
    """Print a result as one JSON document."""
    click.echo(redact(json.dumps(document, ensure_ascii=False, indent=2, default=str)))


def complain(message: str) -> None:
    """Print what went wrong on the standard error stream, as one line."""
    click.echo(printable(redact(f"✗ {clean_line(message)}"), sys.stderr), err=True)
