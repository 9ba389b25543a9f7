"""Read a CREATE TABLE statement: what the pragmas do not tell (names, checks, collations, expressions) is only there.

Every token ends up somewhere: in a constraint, in a column, or in the rest, which is kept as text, so that a clause
this reader does not know still shows when it changes. Constraints read alike whether written beside a column or below
all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from migkit.dialects.sqlite.sqltext import Token, normal_form, quote_name, tokenize

_CONSTRAINT_WORDS = frozenset(("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"))
_COLUMN_WORDS = _CONSTRAINT_WORDS - {"FOREIGN"} | {"NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"}
_ACTION_WORDS = frozenset(("CASCADE", "RESTRICT"))


@dataclass(frozen=True)
class ConstraintText:
    """One constraint as it is written."""

    kind: str
    columns: tuple[str, ...]
    definition: str
    name: str | None = None
    referenced_table: str | None = None
    referenced_columns: tuple[str, ...] = ()
    on_update: str | None = None
    on_delete: str | None = None


@dataclass
class ColumnText:
    """What a column's definition says beyond what the pragmas tell."""

    name: str
    collation: str | None = None
    generated: str | None = None
    options: list[str] = field(default_factory=list)


@dataclass
class TableText:
    """A CREATE TABLE statement, taken apart."""

    columns: dict[str, ColumnText] = field(default_factory=dict)
    constraints: list[ConstraintText] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    autoincrement: bool = False


def read_table(sql: str) -> TableText:
    """Take a CREATE TABLE statement apart.

    Parameters
    ----------
    sql : str
        The text as ``sqlite_schema`` keeps it.
    """
    tokens = tokenize(sql)
    opening = next((index for index, token in enumerate(tokens) if _is_sign(token, "(")), len(tokens))
    closing = _matching(tokens, opening)
    table = TableText()
    in_columns = True
    for definition in split_by_comma(tokens[opening + 1 : closing]):
        in_columns = in_columns and definition[0].word not in _CONSTRAINT_WORDS
        _Definition(definition, table).read(in_columns)
    for option in split_by_comma(tokens[closing + 1 :]):
        text = normal_form(option).upper()
        if text not in ("WITHOUT ROWID", "STRICT", ";"):
            table.options.append(text)
    return table


def split_by_comma(tokens: list[Token]) -> list[list[Token]]:
    """Split at commas outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += _is_sign(token, "(") - _is_sign(token, ")")
        if depth == 0 and _is_sign(token, ","):
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _is_sign(token: Token, text: str) -> bool:
    return token.kind == "sign" and token.text == text


def _matching(tokens: list[Token], opening: int) -> int:
    depth = 0
    for index in range(opening, len(tokens)):
        depth += _is_sign(tokens[index], "(") - _is_sign(tokens[index], ")")
        if depth == 0:
            return index
    return len(tokens)


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(quote_name(column) for column in columns)


class _Definition:
    """Reads one definition of a table, token by token."""

    def __init__(self, tokens: list[Token], table: TableText) -> None:
        self.tokens = tokens
        self.table = table
        self.at = 0
        self.name: str | None = None
        self.column: ColumnText | None = None

    # --- tokens -----------------------------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> Token | None:
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def word(self, ahead: int = 0) -> str:
        token = self.peek(ahead)
        return token.word if token else ""

    def take(self, *words: str) -> bool:
        """Step over the words if they come next."""
        if all(self.word(ahead) == word for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def next_name(self) -> str:
        token = self.peek()
        self.at += 1
        return token.name if token else ""

    def group(self) -> list[Token]:
        """Step over ``( … )`` and return what is inside."""
        token = self.peek()
        if token is None or not _is_sign(token, "("):
            return []
        start, self.at = self.at + 1, _matching(self.tokens, self.at) + 1
        return self.tokens[start : self.at - 1]

    # --- definitions ------------------------------------------------------------------------------------------------

    def read(self, is_column: bool) -> None:
        """Read all of it into the table."""
        if is_column:
            self.column = ColumnText(self.next_name())
            self.table.columns[self.column.name.lower()] = self.column
            self._skip_type()
        while self.peek() is not None:
            self._read_clause()
        if self.name is not None:
            self._keep(f"CONSTRAINT {quote_name(self.name)}")

    def _skip_type(self) -> None:
        """The pragmas tell the type."""
        while (token := self.peek()) is not None and token.word not in _COLUMN_WORDS:
            if _is_sign(token, "("):
                self.group()
            else:
                self.at += 1

    def _read_clause(self) -> None:
        readers: dict[str, Callable[[], None]] = {
            "CONSTRAINT": self._constraint_name,
            "PRIMARY": self._primary_key,
            "UNIQUE": self._unique,
            "CHECK": self._check,
            "FOREIGN": self._foreign_key,
            "REFERENCES": self._references,
            "NOT": self._not_null,
            "NULL": self._null,
            "DEFAULT": self._default,
            "COLLATE": self._collate,
            "GENERATED": self._generated,
            "AS": self._generated,
        }
        reader = readers.get(self.word())
        if reader is None:
            self._keep(normal_form(self.tokens[self.at : self.at + 1]))
            self.at += 1
        else:
            reader()

    def _keep(self, text: str) -> None:
        """Remember what has no place of its own."""
        (self.table.options if self.column is None else self.column.options).append(text)
        self.name = None

    def _keep_name(self) -> None:
        if self.name is not None:
            self._keep(f"CONSTRAINT {quote_name(self.name)}")

    def _add(self, constraint: ConstraintText) -> None:
        self.table.constraints.append(constraint)
        self.name = None

    # --- clauses ----------------------------------------------------------------------------------------------------

    def _constraint_name(self) -> None:
        self.at += 1
        self._keep_name()
        self.name = self.next_name()

    def _primary_key(self) -> None:
        self.at += 1
        self.take("KEY")
        self._key("primary key", "PRIMARY KEY")

    def _unique(self) -> None:
        self.at += 1
        self._key("unique", "UNIQUE")

    def _key(self, kind: str, words: str) -> None:
        inside = self.group()
        if any(token.word == "AUTOINCREMENT" for token in inside):
            self.table.autoincrement = True
            inside = [token for token in inside if token.word != "AUTOINCREMENT"]
        if self.column is not None and not inside:
            parts = [self.column.name]
            written = [quote_name(self.column.name) + self._direction()]
        else:
            columns = split_by_comma(inside)
            parts = [column[0].name for column in columns]
            written = [normal_form(column).removesuffix(" ASC") for column in columns]
        conflict = self._conflict()
        if self.take("AUTOINCREMENT"):
            self.table.autoincrement = True
        self._add(ConstraintText(kind, tuple(parts), f"{words} ({', '.join(written)}){conflict}", self.name))

    def _direction(self) -> str:
        if self.take("DESC"):
            return " DESC"
        self.take("ASC")
        return ""

    def _conflict(self) -> str:
        if not self.take("ON", "CONFLICT"):
            return ""
        action = self.next_name().upper()
        return "" if action == "ABORT" else f" ON CONFLICT {action}"

    def _check(self) -> None:
        self.at += 1
        expression = normal_form(self.group())
        columns = (self.column.name,) if self.column else ()
        self._add(ConstraintText("check", columns, f"CHECK ({expression}){self._conflict()}", self.name))

    def _not_null(self) -> None:
        self.at += 1
        if not self.take("NULL"):
            self._keep("NOT")
            return
        self._keep_name()
        if conflict := self._conflict():
            self._keep(f"NOT NULL{conflict}")

    def _null(self) -> None:
        self.at += 1
        self._keep_name()
        self._conflict()

    def _default(self) -> None:
        """The pragmas tell the default."""
        self.at += 1
        self._keep_name()
        token = self.peek()
        if token is not None and _is_sign(token, "("):
            self.group()
            return
        self.at += 2 if token is not None and token.text in ("+", "-") and token.kind == "sign" else 1

    def _collate(self) -> None:
        self.at += 1
        self._keep_name()
        collation = self.next_name().upper()
        if self.column is not None:
            self.column.collation = None if collation == "BINARY" else collation

    def _generated(self) -> None:
        self.take("GENERATED", "ALWAYS")
        self.take("AS")
        self._keep_name()
        expression = normal_form(self.group())
        storage = "STORED" if self.take("STORED") else "VIRTUAL"
        self.take("VIRTUAL")
        if self.column is not None:
            self.column.generated = f"({expression}) {storage}"

    def _foreign_key(self) -> None:
        self.at += 1
        self.take("KEY")
        columns = tuple(column[0].name for column in split_by_comma(self.group()))
        self._references(columns)

    def _references(self, columns: tuple[str, ...] = ()) -> None:
        self.take("REFERENCES")
        if self.column is not None and not columns:
            columns = (self.column.name,)
        parent = self.next_name()
        parent_columns = tuple(column[0].name for column in split_by_comma(self.group()))
        actions: dict[str, str] = {}
        match = self._actions(actions)
        timing = self._deferral()
        target = quote_name(parent) + (f" ({_names(parent_columns)})" if parent_columns else "")
        self._add(
            ConstraintText(
                "foreign key",
                columns,
                f"FOREIGN KEY ({_names(columns)}) REFERENCES {target}{match}{timing}",
                self.name,
                parent,
                parent_columns,
                actions.get("UPDATE", "NO ACTION"),
                actions.get("DELETE", "NO ACTION"),
            )
        )

    def _actions(self, actions: dict[str, str]) -> str:
        match = ""
        while True:
            if self.take("MATCH"):
                match = f" MATCH {self.next_name().upper()}"
            elif self.word() == "ON" and self.word(1) in ("DELETE", "UPDATE", "INSERT"):
                event = self.word(1)
                self.at += 2
                first = self.next_name().upper()
                actions[event] = first if first in _ACTION_WORDS else f"{first} {self.next_name().upper()}"
            else:
                return "" if match == " MATCH SIMPLE" else match

    def _deferral(self) -> str:
        """Only DEFERRABLE INITIALLY DEFERRED defers; every other wording means immediate."""
        negated = self.take("NOT", "DEFERRABLE")
        deferrable = negated or self.take("DEFERRABLE")
        deferred = False
        if self.take("INITIALLY"):
            deferred = self.next_name().upper() == "DEFERRED"
        return " DEFERRABLE INITIALLY DEFERRED" if deferrable and not negated and deferred else ""
