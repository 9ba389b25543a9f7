"""Which statements of MySQL and MariaDB change the server or another database, not just the one they run in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from migkit.dialects.tokens import Token, statements, tokenize, word_at
from migkit.redaction import unheard_parser

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|\#[^\n]*|--(?=\s|$)[^\n]*|/\*M?!\d*|\*/)
  | (?P<string>'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*")
  | (?P<name>`[^`]*(?:``[^`]*)*`)
  | (?P<number>\d+(?:\.\d+)?(?![\w$]))
  | (?P<word>[\w$]+)
    """,
    re.VERBOSE | re.DOTALL,
)
# Without one of these nothing reaches beyond; looking for them is faster than reading a megabyte of values.
_HINTS = re.compile(
    r"\b(?:USER|ROLE|GRANT|REVOKE|GLOBAL|PERSIST|PERSIST_ONLY|PASSWORD|DATABASE|SCHEMA|SERVER|TABLESPACE|LOGFILE|"
    r"RESOURCE|PLUGIN|COMPONENT|SONAME|USE|KILL|FLUSH|SHUTDOWN|RESTART|CLONE|RESET|PURGE|MASTER|REPLICA|REPLICATION|"
    r"SLAVE|GROUP_REPLICATION|INSTANCE|OUTFILE|DUMPFILE|BINLOG)\b",
    re.IGNORECASE,
)
_ACCOUNTS_AND_MORE = frozenset(
    {"USER", "ROLE", "DATABASE", "SCHEMA", "SERVER", "TABLESPACE", "UNDO", "LOGFILE", "RESOURCE"}
)
_PAIRS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("CREATE", "ALTER", "DROP", "RENAME"), _ACCOUNTS_AND_MORE),
    **dict.fromkeys(("INSTALL", "UNINSTALL"), frozenset({"PLUGIN", "COMPONENT", "SONAME"})),
    **dict.fromkeys(("START", "STOP"), frozenset({"REPLICA", "SLAVE", "GROUP_REPLICATION", "ALL"})),
    "RESET": frozenset({"MASTER", "REPLICA", "SLAVE", "BINARY", "PERSIST"}),
    "CHANGE": frozenset({"MASTER", "REPLICATION"}),
    "PURGE": frozenset({"MASTER", "BINARY"}),
    "LOCK": frozenset({"INSTANCE"}),
    "SET": frozenset({"PASSWORD", "DEFAULT"}),
    "INTO": frozenset({"OUTFILE", "DUMPFILE"}),
}
# Reserved words: wherever one stands unquoted, it is the command.
_ALWAYS = frozenset({"GRANT", "REVOKE", "KILL"})
_AT_THE_START = frozenset({"FLUSH", "SHUTDOWN", "RESTART", "CLONE", "BINLOG"})
_SERVER_SCOPES = frozenset({"GLOBAL", "PERSIST", "PERSIST_ONLY"})
# ALTER DATABASE without a name is about the present one; these words are reserved, so they are none.
_NO_DATABASE_NAME = frozenset({"CHARACTER", "COLLATE", "DEFAULT", "READ"})
_BODIES = frozenset({"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE", "BEGIN", "STATEMENT"})
_MAKES_TEXT_A_STATEMENT = frozenset({"PREPARE", "IMMEDIATE", "SET"})
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%s")


def reaches_beyond_database(sql: str, neighbours: Collection[str]) -> bool:
    """Tell whether a text holds a statement about accounts, settings or files of the server, or another database.

    Parameters
    ----------
    sql : str
        One or several statements. Bodies of routines count, and so do texts that are made statements, as far as they
        are written out.
    neighbours : collection of str
        The names of the server's other databases.
    """
    folded = sql.casefold()
    near = frozenset(name.casefold() for name in neighbours if name.casefold() in folded)
    if not near and _HINTS.search(sql) is None:
        return False
    tokens = list(tokenize(sql, _TOKEN, nested_comments=False))
    return (
        any(map(_reaches, statements(tokens)))
        or any(_names_database(sql, tokens, name) for name in near)
        or any(reaches_beyond_database(text, neighbours) for text in _texts_to_execute(tokens))
    )


def _reaches(statement: Sequence[Token]) -> bool:
    if word_at(statement, 0) in _AT_THE_START or word_at(statement, 0) == "USE":
        return True
    has_body = any(token.word in _BODIES for token in statement)
    is_set = any(token.word == "SET" for token in statement)
    for index, token in enumerate(statement):
        if token.word in _ALWAYS or token.word == "SONAME" or (is_set and _is_server_setting(statement, index)):
            return True
        anywhere = has_body or token.word == "INTO"
        if (anywhere or index == 0) and _is_pair(statement, index):
            return True
    return False


def _is_pair(statement: Sequence[Token], index: int) -> bool:
    first, after = statement[index].word, index + 1
    if word_at(statement, after) == "OR" and word_at(statement, after + 1) == "REPLACE":
        after += 2
    second, third = word_at(statement, after), word_at(statement, after + 1)
    if first == "SET" and second == "DEFAULT":
        return third == "ROLE"
    if first == "ALTER" and second in ("DATABASE", "SCHEMA") and third in _NO_DATABASE_NAME:
        return False
    return second in _PAIRS.get(first, ())


def _is_server_setting(statement: Sequence[Token], index: int) -> bool:
    """Whether a word gives an assignment the server's scope: behind SET or a comma, plain or as ``@@GLOBAL.``."""
    if statement[index].word not in _SERVER_SCOPES or index + 1 >= len(statement):
        return False
    marks = 2 if index >= 2 and statement[index - 1].sign == statement[index - 2].sign == "@" else 0
    before = statement[index - 1 - marks] if index > marks else None
    is_target = before is not None and (before.word == "SET" or before.sign == ",")
    following = statement[index + 1]
    return is_target and (following.sign == "." if marks else following.kind in ("word", "name"))


def _texts_to_execute(tokens: Sequence[Token]) -> Iterator[str]:
    if any(token.word in _MAKES_TEXT_A_STATEMENT for token in tokens):
        yield from (token.text for token in tokens if token.kind == "string")


def _names_database(sql: str, tokens: Sequence[Token], name: str) -> bool:
    """Whether `name` qualifies a table or routine, and not just a column of a table that is called like a database."""
    mentions = sum(
        following.sign == "."
        and token.kind in ("word", "name", "string")
        and token.text.casefold() == name
        and (index == 0 or tokens[index - 1].sign not in (".", "@"))
        for index, (token, following) in enumerate(pairwise(tokens))
    )
    return mentions > 0 and mentions != _columns_of(sql, name)


def _columns_of(sql: str, table: str) -> int:
    """Count the columns written ``table.column``, if that is for sure all that the name is used for; else nought."""
    try:
        with unheard_parser():
            parsed = sqlglot.parse(_PLACEHOLDER.sub("NULL", sql), read="mysql")
    except SqlglotError:
        return 0
    columns = 0
    for statement in parsed:
        if statement is None or statement.find(exp.Command) is not None:
            return 0
        if any(table in (one.db.casefold(), one.catalog.casefold()) for one in statement.find_all(exp.Table)):
            return 0
        columns += sum(one.table.casefold() == table and not one.db for one in statement.find_all(exp.Column))
    return columns


_KINDS = frozenset(
    {"TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "INDEX", "DATABASE", "SCHEMA", "SEQUENCE"}
)


def definition(sql: str) -> tuple[str, str]:
    """Return what a statement does to which kind of thing, ``("CREATE", "EVENT")``; empty where it defines nothing."""
    words = [token.word for token in tokenize(sql, _TOKEN, nested_comments=False)]
    first = words[0] if words else ""
    if first not in ("CREATE", "ALTER", "DROP", "RENAME"):
        return first, ""
    return first, next((word for word in words if word in _KINDS), "")


def renamed(sql: str, database: str, other: str) -> str:
    """Return a text in which what one database's name qualifies is qualified by another's.

    Parameters
    ----------
    sql : str
        A statement.
    database, other : str
        The name as it is, and as it is to be.
    """
    pieces, position, before = list[str](), 0, ""
    quoted = "`" + other.replace("`", "``") + "`"
    while position < len(sql):
        found = _TOKEN.match(sql, position)
        end = found.end() if found else position + 1
        if found is None and sql.startswith("/*", position):
            end = _comment(sql, position)
        piece = sql[position:end]
        kind = found.lastgroup if found else "sign"
        plain = piece[1:-1].replace("``", "`") if kind == "name" else piece
        qualifies = sql[end:].lstrip()[:1] == "." and before not in (".", "@")
        if kind in ("name", "word") and qualifies and plain.casefold() == database.casefold():
            piece = quoted
        pieces.append(piece)
        if kind != "space":
            before = piece
        position = end
    return "".join(pieces)


def _comment(sql: str, position: int) -> int:
    end = sql.find("*/", position + 2)
    return len(sql) if end < 0 else end + 2
