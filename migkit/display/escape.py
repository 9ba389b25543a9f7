"""Names, values and error texts come from outside: made safe for a terminal, then for HTML."""

from __future__ import annotations

import html
import re
import unicodedata

from migkit.redaction import redact

ELLIPSIS = "…"
_CANARY = re.compile(r"\s*/\* migkit (canary: .*?) \*/")
_KEPT_CONTROLS = "\n\t"
# Bidirectional overrides and isolates let a name display as another one; zero-width characters hide in it.
_DECEPTIVE = frozenset("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def clean(value: object) -> str:
    r"""Return a value as text without secrets, terminal control sequences and characters that disguise.

    Parameters
    ----------
    value : object
        Anything from outside: a name, a value, an error text.

    Returns
    -------
    str
        Text in which control characters are written out (``\x1b``); line breaks and tabs stay.

    Examples
    --------
    >>> clean("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(_visible(character) for character in redact(str(value)))


def clean_line(value: object) -> str:
    """Return a value as :func:`clean` does, on one line."""
    return " ".join(clean(value).split())


def _visible(character: str) -> str:
    if character in _KEPT_CONTROLS:
        return character
    if character in _DECEPTIVE or unicodedata.category(character) in ("Cc", "Cs"):
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")
    return character


def escape(value: object) -> str:
    """Return a value as HTML text: cleaned, and with every character that means something to HTML escaped.

    Examples
    --------
    >>> escape("<script>")
    '&lt;script&gt;'
    """
    return html.escape(clean(value), quote=True)


def shorten(value: object, length: int = 60) -> str:
    """Return a value on one line of at most `length` characters, the middle left out where it is longer.

    Examples
    --------
    >>> shorten("abcdefghij", 5)
    'ab…ij'
    """
    text = clean_line(value)
    if len(text) <= length:
        return text
    head = length // 2
    tail = length - head - 1
    return text[:head] + ELLIPSIS + (text[-tail:] if tail else "")


def shorten_query(sql: object, length: int = 60) -> str:
    """Return a statement on one line; what a comment at its beginning says of it counts for more than its text.

    Examples
    --------
    >>> shorten_query("/* migkit canary: reads of orders */ SELECT 1 FROM orders LIMIT 1")
    'canary: reads of orders'
    """
    named = _CANARY.match(str(sql))
    return shorten(named[1] if named else sql, length)


def text_width(text: str) -> int:
    """Return how many terminal cells a text takes."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
