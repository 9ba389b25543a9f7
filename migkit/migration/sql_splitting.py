"""Cut an SQL file into statements exactly where the engine's own client would.

The rules of quoting differ between engines; they are taken from sqlglot's description of each dialect's tokens. What a
statement *means* is not looked at: the server is the judge of that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import Dialect as SqlglotDialect

from migkit.errors import MigrationInvalid


@dataclass(frozen=True)
class SqlStatement:
    """One statement of a file, without its delimiter, and the line it starts at."""

    sql: str
    line: int


@dataclass(frozen=True)
class _Quoting:
    """How an engine quotes."""

    quotes: dict[str, str]
    backslash: bool
    escape_strings: bool
    dollar: bool
    hash_comments: bool
    nested_comments: bool


@lru_cache
def _quoting(sql_dialect: str) -> _Quoting:
    tokenizer = SqlglotDialect.get_or_raise(sql_dialect).tokenizer_class
    pairs = [pair if isinstance(pair, tuple) else (pair, pair) for pair in (*tokenizer.QUOTES, *tokenizer.IDENTIFIERS)]
    return _Quoting(
        quotes={opening: closing for opening, closing in pairs if len(opening) == 1} | {"'": "'", '"': '"'},
        backslash="\\" in tokenizer.STRING_ESCAPES,
        escape_strings=any(opening[0] in ("e'", "E'") for opening in tokenizer.BYTE_STRINGS),
        dollar=bool(tokenizer.HEREDOC_STRINGS),
        hash_comments="#" in tokenizer.COMMENTS,
        nested_comments=tokenizer.NESTED_COMMENTS,
    )


_WORD = re.compile(r"[^\W\d][\w$]*")
_TAG = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_DELIMITER = re.compile(r"DELIMITER[ \t]+(\S+)[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
# A body may follow: a trigger, routine or event, whose statements end with semicolons too.
_HAS_BODY = re.compile(r"CREATE\s+(?:[^\s;]+\s+){0,12}?(?:TRIGGER|PROCEDURE|FUNCTION|EVENT)\b", re.IGNORECASE)
_ENDS_BLOCK_OF_ITS_OWN = frozenset({"IF", "LOOP", "WHILE", "REPEAT"})


def split_statements(text: str, sql_dialect: str, *, where: str, first_line: int = 1) -> list[SqlStatement]:
    r"""Cut a text into statements.

    Parameters
    ----------
    text : str
        The file, or a section of it.
    sql_dialect : str
        The name sqlglot knows the engine by.
    where : str
        The file, for messages.
    first_line : int
        The line of the file that the text starts at.

    Returns
    -------
    list of SqlStatement
        Without comments before them and without their delimiters; what is only a comment is no statement.

    Raises
    ------
    MigrationInvalid
        If a quote, a comment or a body is never closed, or a client's command (``\copy``) is used.

    Examples
    --------
    >>> [one.sql for one in split_statements("select ';'; select 2", "sqlite", where="x.sql")]
    ["select ';'", 'select 2']
    """
    return _Scanner(text.removeprefix("\ufeff"), _quoting(sql_dialect), where, first_line).run()


class _Scanner:
    def __init__(self, text: str, quoting: _Quoting, where: str, first_line: int) -> None:
        self.text = text
        self.quoting = quoting
        self.where = where
        self.first_line = first_line
        self.position = 0
        self.delimiter = ";"
        self.statements: list[SqlStatement] = []
        self.start: int | None = None
        self.depth = 0
        self.body_at = 0
        self.last_word = ""
        self.counted = (0, 0)

    def run(self) -> list[SqlStatement]:
        while self.position < len(self.text):
            self._step()
        if self.depth:
            raise self._invalid("BEGIN is never closed by END", self.body_at)
        self._finish(self.position, 0)
        return self.statements

    def _step(self) -> None:
        char = self.text[self.position]
        if self.start is None:
            if self._skip_between():
                return
            self.start = self.position
        if not self.depth and self.text.startswith(self.delimiter, self.position):
            self._finish(self.position, len(self.delimiter))
        elif self._skip_comment():
            return
        elif char in self.quoting.quotes:
            self._skip_quoted(char, self.quoting.quotes[char])
        elif char == "$" and self.quoting.dollar and (tag := _TAG.match(self.text, self.position)):
            self._skip_dollar_quoted(tag[0])
        elif word := _WORD.match(self.text, self.position):
            self.position = word.end()
            self._read_word(word)
        else:
            self.position += 1

    # --- between statements -----------------------------------------------------------------------------------------

    def _skip_between(self) -> bool:
        """Skip one blank, comment, empty statement or client command in front of a statement."""
        char = self.text[self.position]
        if char.isspace():
            self.position += 1
            return True
        if self._skip_comment():
            return True
        if self.text.startswith(self.delimiter, self.position):
            self.position += len(self.delimiter)
            return True
        if command := _DELIMITER.match(self.text, self.position):
            self.delimiter = command[1]
            self.position = command.end()
            return True
        if char == "\\":
            line = self.text[self.position :].partition("\n")[0].strip()
            raise self._invalid(f"{line.split()[0]} is a command of a client, not SQL", self.position)
        return False

    def _begin_statement(self, position: int) -> None:
        self.position = position
        self.start, self.depth, self.body_at, self.last_word = None, 0, 0, ""

    def _finish(self, end: int, skip: int) -> None:
        if self.start is not None:
            sql = self.text[self.start : end].rstrip()
            self.statements.append(SqlStatement(sql, self._line(self.start)))
        self._begin_statement(end + skip)

    # --- inside a statement -----------------------------------------------------------------------------------------

    def _skip_comment(self) -> bool:
        text, position = self.text, self.position
        if self._starts_line_comment():
            end = text.find("\n", position)
            self.position = len(text) if end < 0 else end
            return True
        if text.startswith("/*", position) and not (text.startswith("/*!", position) and self.quoting.hash_comments):
            self._skip_block_comment()
            return True
        return False

    def _starts_line_comment(self) -> bool:
        if not self.text.startswith("--", self.position):
            return self.quoting.hash_comments and self.text[self.position] == "#"
        # Where # starts a comment, -- does so only before a blank: 5--1 is six.
        return not self.quoting.hash_comments or self.text[self.position + 2 : self.position + 3].strip() == ""

    def _skip_block_comment(self) -> None:
        depth, opened_at = 0, self.position
        for mark in re.compile(r"/\*|\*/").finditer(self.text, self.position):
            if mark[0] == "*/":
                depth -= 1
            elif self.quoting.nested_comments or not depth:
                depth += 1
            if not depth:
                self.position = mark.end()
                return
        raise self._invalid("A comment (/*) is never closed", opened_at)

    def _skip_quoted(self, opening: str, closing: str) -> None:
        opened_at = self.position
        backslash = opening in "'\"" and (self.quoting.backslash or self._is_escape_string())
        position = opened_at + 1
        while position < len(self.text):
            char = self.text[position]
            if char == "\\" and backslash:
                position += 2
            elif char != closing:
                position += 1
            elif opening == closing and self.text.startswith(closing, position + 1):
                position += 2
            else:
                self.position = position + 1
                return
        raise self._invalid(f"A quote ({opening}) is never closed", opened_at)

    def _is_escape_string(self) -> bool:
        before = self.text[max(0, self.position - 2) : self.position]
        return self.quoting.escape_strings and re.search(r"(?<!\w)[eE]$", before) is not None

    def _skip_dollar_quoted(self, tag: str) -> None:
        end = self.text.find(tag, self.position + len(tag))
        if end < 0:
            raise self._invalid(f"A quote ({tag}) is never closed", self.position)
        self.position = end + len(tag)

    def _read_word(self, word: re.Match[str]) -> None:
        """Follow BEGIN … END of a body, so that its semicolons do not end the statement."""
        text = word[0].upper()
        previous, self.last_word = self.last_word, text
        is_part_of_name = word.start() > 0 and self.text[word.start() - 1] in ".@:"
        if is_part_of_name or self.delimiter != ";":
            return
        if text == "BEGIN" and (self.depth or self._has_body(word.start())):
            self.body_at = self.body_at or word.start()
            self.depth += 1
        elif text == "CASE" and self.depth and previous != "END":
            self.depth += 1
        elif text == "END" and self.depth:
            following = _WORD.match(self.text, self._next_solid(word.end()))
            if not (following and following[0].upper() in _ENDS_BLOCK_OF_ITS_OWN):
                self.depth -= 1

    def _has_body(self, position: int) -> bool:
        assert self.start is not None
        return _HAS_BODY.match(self.text, self.start, position) is not None

    def _next_solid(self, position: int) -> int:
        while position < len(self.text) and self.text[position].isspace():
            position += 1
        return position

    # --- messages ---------------------------------------------------------------------------------------------------

    def _line(self, position: int) -> int:
        # Counted on from the last place asked for: from the beginning, a long file takes time squared.
        counted_to, lines = self.counted if self.counted[0] <= position else (0, 0)
        self.counted = (position, lines + self.text.count("\n", counted_to, position))
        return self.first_line + self.counted[1]

    def _invalid(self, what: str, position: int) -> MigrationInvalid:
        return MigrationInvalid(what, where=f"{self.where}:{self._line(position)}")
