"""Numbers for people: one place for thousands separators, durations, sizes and instants."""

from __future__ import annotations

from datetime import UTC, datetime

MISSING = "–"
MINUS = "−"

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def count(number: int | None) -> str:
    """Return a count with thousands separators.

    Examples
    --------
    >>> count(200000)
    '200,000'
    """
    if number is None:
        return MISSING
    return f"{number:,}".replace("-", MINUS)


def signed(number: int | None) -> str:
    """Return a difference with its sign.

    Examples
    --------
    >>> signed(12), signed(0)
    ('+12', '0')
    """
    if number is None:
        return MISSING
    return f"+{number:,}" if number > 0 else count(number)


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "table"), plural(5000, "table"), plural(2, "index", "indexes")
    ('1 table', '5,000 tables', '2 indexes')
    """
    return f"{count(number)} {noun if number == 1 else nouns or noun + 's'}"


def duration(seconds: float | None) -> str:
    """Return a stretch of time, precise where it is short.

    Examples
    --------
    >>> duration(0.1234), duration(123), duration(4000)
    ('0.12s', '2 min 3 s', '1 h 6 min')
    """
    if seconds is None:
        return MISSING
    if seconds < 0:
        return MINUS + duration(-seconds)
    if seconds < 0.005:
        return "0s" if seconds == 0 else "<0.01s"
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    return _long_duration(round(seconds))


def _long_duration(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    if seconds < 86400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"


def milliseconds(number: float | None) -> str:
    """Return milliseconds, or seconds where there are many.

    Examples
    --------
    >>> milliseconds(0.25), milliseconds(12.3), milliseconds(2500)
    ('0.25 ms', '12 ms', '2.50s')
    """
    if number is None:
        return MISSING
    if abs(number) >= 999.5:
        return duration(number / 1000)
    if 0 < abs(number) < 0.005:
        return "<0.01 ms"
    text = f"{number:.0f}" if abs(number) >= 9.995 else f"{number:.2f}".rstrip("0").rstrip(".")
    return f"{text.replace('-', MINUS)} ms"


def size(number: float | None) -> str:
    """Return bytes in the decimal unit that fits.

    Examples
    --------
    >>> size(512), size(1_400_000)
    ('512 B', '1.4 MB')
    """
    if number is None:
        return MISSING
    value = float(number)
    for unit in _SIZES:
        if abs(value) < 999.95 or unit == _SIZES[-1]:
            break
        value /= 1000
    text = f"{value:.0f}" if unit == "B" or abs(value) >= 100 else f"{value:.1f}"
    return f"{text.replace('-', MINUS)} {unit}"


def instant(moment: datetime | None) -> str:
    """Return an instant in UTC, to the second.

    Examples
    --------
    >>> instant(datetime(2026, 11, 22, 6, 30, tzinfo=UTC))
    '2026-11-22 06:30:00 UTC'
    """
    return MISSING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def yes_no(flag: bool | None) -> str:
    """Return a flag in words."""
    return MISSING if flag is None else "yes" if flag else "no"
