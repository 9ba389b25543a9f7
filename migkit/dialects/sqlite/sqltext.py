"""SQL text as tokens, and in one normal form, so that reformatting reads identical and a change does not.

SQLite keeps the text of every CREATE statement and rewrites parts of it when tables or columns are renamed: names come
back in quotes. The normal form knows no comments, no line breaks, no needless quotes, and writes keywords in capitals.
Names keep their case, and text that may be a string (``"no"`` in a default) stays in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["word", "name", "string", "number", "blob", "parameter", "sign"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that only ever are keywords; written unquoted they mean nothing else.
_RESERVED = _words(
    """
    ADD ALL ALTER AND AS AUTOINCREMENT BETWEEN CASE CHECK COLLATE COMMIT CONSTRAINT CREATE DEFAULT DEFERRABLE
    DELETE DISTINCT DROP ELSE ESCAPE EXISTS FOREIGN FROM GROUP HAVING IN INDEX INSERT INTERSECT INTO IS ISNULL
    JOIN LIMIT NOT NOTHING NOTNULL NULL ON OR ORDER PRIMARY REFERENCES RETURNING SELECT SET TABLE THEN TO
    TRANSACTION UNION UNIQUE UPDATE USING VALUES WHEN WHERE
    """
)
# Words that are keywords where they fit, and names elsewhere.
_FALLBACK = _words(
    """
    ABORT ACTION AFTER ALWAYS ANALYZE ASC ATTACH BEFORE BEGIN BY CASCADE CAST COLUMN CONFLICT CROSS CURRENT
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFERRED DESC DETACH DO EACH END EXCEPT EXCLUDE
    EXCLUSIVE EXPLAIN FAIL FILTER FIRST FOLLOWING FOR FULL GENERATED GLOB GROUPS IF IGNORE IMMEDIATE INDEXED
    INITIALLY INNER INSTEAD KEY LAST LEFT LIKE MATCH MATERIALIZED NATURAL NO NULLS OF OFFSET OTHERS OUTER OVER
    PARTITION PLAN PRAGMA PRECEDING QUERY RAISE RANGE RECURSIVE REGEXP REINDEX RELEASE RENAME REPLACE RESTRICT
    RIGHT ROLLBACK ROW ROWS SAVEPOINT TEMP TEMPORARY TIES TRIGGER UNBOUNDED VACUUM VIEW VIRTUAL WINDOW WITH
    WITHOUT
    """
)
KEYWORDS = _RESERVED | _FALLBACK

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))
  | (?P<blob>[xX]'[0-9A-Fa-f]*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<number>0[xX][0-9A-Fa-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<parameter>[?:@$][\w:]*)
  | (?P<sign>\|\||<<|>>|<=|>=|<>|!=|==|->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME = re.compile(r"[^\W\d][\w$]*")
_TIGHT_BEFORE = frozenset((",", ")", ".", ";"))
_TIGHT_AFTER = frozenset(("(", "."))


@dataclass(frozen=True)
class Token:
    """One token: what kind it is, and its text; a quoted name is without its quotes."""

    kind: TokenKind
    text: str

    @property
    def word(self) -> str:
        """The token in capitals if it can be a keyword, else empty."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name the token stands for."""
        return self.text[1:-1].replace("''", "'") if self.kind == "string" else self.text


def tokenize(sql: str) -> list[Token]:
    """Cut SQL into tokens, leaving out space and comments."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(sql):
        kind, text = match.lastgroup, match.group()
        if kind == "name":
            tokens.append(Token("name", _unquote(text)))
        elif kind != "space":
            tokens.append(Token(kind, text))  # type: ignore[arg-type]
    return tokens


def _unquote(text: str) -> str:
    if text.startswith("["):
        return text[1:-1]
    return text[1:-1].replace(text[0] * 2, text[0])


def normal_form(tokens: Sequence[Token]) -> str:
    """Write tokens in the normal form."""
    parts: list[str] = []
    before: Token | None = None
    for token in tokens:
        if before is not None and _needs_space(before, token):
            parts.append(" ")
        parts.append(_written(token))
        before = token
    return "".join(parts)


def normalize(sql: str | None) -> str | None:
    """Bring SQL text into the normal form; ``None`` stays ``None``."""
    return None if sql is None else normal_form(tokenize(sql))


def quote_name(name: str) -> str:
    """Write a name without quotes where none are needed."""
    return _written(Token("name", name))


def _needs_space(before: Token, token: Token) -> bool:
    if before.text in _TIGHT_AFTER and before.kind == "sign":
        return False
    if token.kind != "sign":
        return True
    if token.text == "(":
        return before.kind == "sign" or before.word in KEYWORDS
    return token.text not in _TIGHT_BEFORE


def _written(token: Token) -> str:
    if token.kind == "word":
        return token.word if token.word in KEYWORDS else token.text
    if token.kind != "name":
        return token.text
    if _PLAIN_NAME.fullmatch(token.text) and token.text.upper() not in KEYWORDS:
        return token.text
    return '"' + token.text.replace('"', '""') + '"'
