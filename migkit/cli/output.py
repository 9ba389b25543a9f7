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
FAILED = 1


def say(*lines: str | Line) -> None:
    """Print lines on the standard output, without secrets."""
    for line in lines:
        click.echo(printable(redact(str(line)), sys.stdout))


def say_all(lines: Iterable[Line]) -> None:
    """Print many lines."""
    say(*lines)


def say_json(document: Mapping[str, Any]) -> None:
    """Print a result as one JSON document."""
    # A mask may swallow quotes of the text it stands in, but never those of JSON.
    plain = json.loads(json.dumps(document, default=str))
    click.echo(json.dumps(_redacted(plain), ensure_ascii=False, indent=2))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(key): _redacted(one) for key, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list) else value


def complain(message: str) -> None:
    """Print what went wrong on the standard error stream, as one line."""
    click.echo(printable(redact(f"✗ {clean_line(message)}"), sys.stderr), err=True)


def exit_with(passed: bool) -> None:
    """End a command whose result is printed: with exit code 1 where a verdict failed or something was found."""
    if not passed:
        raise click.exceptions.Exit(FAILED)
