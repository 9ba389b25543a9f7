"""Which statements of SQLite open or write another file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from migkit.dialects.sqlite.sqltext import Token, tokenize

_HINTS = re.compile(r"ATTACH|VACUUM", re.IGNORECASE)
_NO_FILE = ("", ":memory:")


def reaches_beyond_database(sql: str) -> bool:
    """Tell whether a text attaches a file, or copies the database into one.

    Parameters
    ----------
    sql : str
        One or several statements.
    """
    return _HINTS.search(sql) is not None and any(map(_reaches, _statements(tokenize(sql))))


def _statements(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = 0
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text == ";":
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:]


def _reaches(statement: Sequence[Token]) -> bool:
    first = statement[0].word if statement else ""
    if first == "VACUUM":
        return any(token.word == "INTO" for token in statement)
    return first == "ATTACH" and not _attaches_memory(statement[1:])


def _attaches_memory(tokens: Sequence[Token]) -> bool:
    """Whether what is attached is for sure no file; anything but a plain text may turn out to be one."""
    if len(tokens) > 1 and tokens[0].word == "DATABASE" and tokens[1].word != "AS":
        tokens = tokens[1:]
    is_text = len(tokens) > 1 and tokens[0].kind in ("string", "name") and tokens[1].word == "AS"
    return is_text and tokens[0].name in _NO_FILE
