"""Which statements of PostgreSQL change the cluster or its machine, not just the database they run in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from migkit.dialects.tokens import Token, statements, tokenize, word_at

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<string>[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|'[^']*(?:''[^']*)*')
  | (?P<body>\$\$.*?\$\$|\$(?P<tag>[^\W\d]\w*)\$.*?\$(?P=tag)\$)
  | (?P<name>"[^"]*(?:""[^"]*)*")
  | (?P<number>\d[\w.]*)
  | (?P<word>[^\W\d][\w$]*)
    """,
    re.VERBOSE | re.DOTALL,
)
# Without one of these words nothing reaches beyond; looking for them is faster than reading a megabyte of values.
_HINTS = re.compile(
    r"\b(?:ROLE|USER|GROUP|GRANT|REVOKE|DATABASE|TABLESPACE|SYSTEM|SUBSCRIPTION|OWNED|COPY|PARAMETER)\b", re.IGNORECASE
)
_OF_THE_CLUSTER = frozenset({"ROLE", "GROUP", "DATABASE", "TABLESPACE", "SYSTEM", "SUBSCRIPTION", "OWNED"})
_SHARED = frozenset({"ROLE", "DATABASE", "TABLESPACE", "PARAMETER", "SUBSCRIPTION"})
# Where a statement may begin inside a body of PL/pgSQL.
_OPENINGS = frozenset({"BEGIN", "THEN", "ELSE", "LOOP"})


def reaches_beyond_database(sql: str) -> bool:
    """Tell whether a text holds a statement about roles, databases, tablespaces, the server or its files.

    Parameters
    ----------
    sql : str
        One or several statements. Bodies of ``DO`` blocks and of functions count, and so does what they execute as
        text, as far as it is written out.
    """
    return _HINTS.search(sql) is not None and any(map(_reaches, statements(_tokens(sql))))


def _tokens(sql: str) -> list[Token]:
    return list(tokenize(sql, _TOKEN, nested_comments=True))


def _reaches(statement: Sequence[Token]) -> bool:
    first, second = word_at(statement, 0), word_at(statement, 1)
    if first in ("CREATE", "ALTER", "DROP", "REASSIGN"):
        is_login = second == "USER" and word_at(statement, 2) != "MAPPING"
        return second in _OF_THE_CLUSTER or is_login or _has_reaching_body(statement)
    if first in ("GRANT", "REVOKE"):
        # Without ON it is about who belongs to a role.
        return not any(token.word == "ON" for token in statement) or _is_on_shared(statement)
    if first in ("COMMENT", "SECURITY"):
        return _is_on_shared(statement)
    if first == "COPY":
        return _is_with_file(statement)
    return first == "DO" and _has_reaching_body(statement)


def _is_on_shared(statement: Sequence[Token]) -> bool:
    places = (index for index, token in enumerate(statement) if token.word == "ON")
    return word_at(statement, next(places, len(statement)) + 1) in _SHARED


def _is_with_file(statement: Sequence[Token]) -> bool:
    depth = 0
    for token, following in pairwise(statement):
        depth += {"(": 1, ")": -1}.get(token.sign, 0)
        if not depth and token.word in ("TO", "FROM") and (following.kind == "string" or following.word == "PROGRAM"):
            return True
    return False


def _has_reaching_body(statement: Sequence[Token]) -> bool:
    is_code = word_at(statement, 0) == "DO" or any(token.word in ("FUNCTION", "PROCEDURE") for token in statement)
    return is_code and any(_reaches_in_body(token.text) for token in statement if token.kind in ("body", "string"))


def _reaches_in_body(body: str) -> bool:
    if _HINTS.search(body) is None:
        return False
    tokens = _tokens(body)
    # EXECUTE takes texts, possibly built from several.
    texts = (token.text for token in tokens if token.kind in ("body", "string"))
    return any(map(_reaches, _statements_of_body(tokens))) or any(map(reaches_beyond_database, texts))


def _statements_of_body(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    for statement in statements(tokens):
        yield statement
        for index, token in enumerate(statement):
            if token.word in _OPENINGS:
                yield statement[index + 1 :]
