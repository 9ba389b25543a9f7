"""SQL as a row of tokens: enough to see which statements a text holds, and never more than a server would see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["word", "name", "string", "body", "number", "sign"]


@dataclass(frozen=True)
class Token:
    """One token; a name, string or body is without its quotes, a word is in capitals."""

    kind: TokenKind
    text: str

    @property
    def word(self) -> str:
        """The word, if it is one, else empty."""
        return self.text if self.kind == "word" else ""

    @property
    def sign(self) -> str:
        """The sign, if it is one, else empty."""
        return self.text if self.kind == "sign" else ""


def tokenize(sql: str, pattern: re.Pattern[str], *, nested_comments: bool) -> Iterator[Token]:
    """Cut SQL into tokens, without blanks and comments.

    Parameters
    ----------
    sql : str
        The text; what is wrong in it, an open quote say, is read as signs and words.
    pattern : re.Pattern
        The engine's tokens, as groups named like the kinds and ``space``; without block comments, but for those that
        the engine executes, whose marks are ``space``.
    nested_comments : bool
        A comment ends with the last of the comments in it.
    """
    position = 0
    while position < len(sql):
        found = pattern.match(sql, position)
        kind = found.lastgroup if found else None
        if found is not None and kind == "space":
            position = found.end()
        elif sql.startswith("/*", position):
            position = _comment_end(sql, position, nested_comments)
        elif found is None or kind is None:
            yield Token("sign", sql[position])
            position += 1
        else:
            yield Token(kind, _bare(kind, found[0]))  # type: ignore[arg-type]  # the groups are named like the kinds
            position = found.end()


def statements(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Cut tokens at every semicolon; parts of bodies come as statements of their own."""
    start = 0
    for index, token in enumerate(tokens):
        if token.sign == ";":
            yield tokens[start:index]
            start = index + 1
    yield tokens[start:]


def word_at(tokens: Sequence[Token], index: int) -> str:
    """Return the word at a place, empty if there is none."""
    return tokens[index].word if 0 <= index < len(tokens) else ""


def _bare(kind: str, text: str) -> str:
    if kind == "word":
        return text.upper()
    if kind == "body":
        tag = text[: text.index("$", 1) + 1]
        return text[len(tag) : -len(tag)]
    if kind in ("name", "string"):
        text = text.lstrip("eE")
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _comment_end(sql: str, position: int, nested: bool) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, position):
        if mark[0] == "*/":
            depth -= 1
        elif nested or not depth:
            depth += 1
        if not depth:
            return mark.end()
    return len(sql)
