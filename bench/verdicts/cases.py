"""What is done to a database: injuries and harmless things, as they stand in ``FOLDER/*.sql``.

A file is a list of cases, each a few comment lines and the statements below them (a statement ends with ``;`` at the
end of a line)::

    -- injury: a trigger is disabled
    -- at: objects trigger touch on users: definition
    -- also: tables users: data
    ALTER TABLE users DISABLE TRIGGER touch;
    -- undo:
    ALTER TABLE users ENABLE TRIGGER touch;

``at`` names a place where it must be reported, in the words of :mod:`bench.verdicts.places`; every ``at`` counts.
``also`` allows a side effect (``*`` stands for anything). ``key`` is the row that the reported key range has to hold.
``undo`` is for engines whose databases are not copied for every case.

``-- value: EXPRESSION`` is short for the commonest injury: one column of row 123 of the table ``kinds``.
``-- harmless: …`` must leave the state identical; ``reads with``, ``reads as``, ``reads through`` and ``tool`` say what
is special about how it is read or done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
# MySQL and MariaDB have most cases in common.
FOLDERS = {
    "sqlite": ("sqlite",),
    "postgresql": ("postgresql",),
    "mysql": ("mysql_mariadb", "mysql"),
    "mariadb": ("mysql_mariadb", "mariadb"),
}
_NO_CASES = frozenset({"schema.sql", "server.sql", "every_copy.sql", "before_drop.sql"})
VALUE_TABLE = "kinds"
VALUE_ROW = 123

_WORDS = "injury|value|harmless|at|also|key|undo|reads with|reads as|reads through|tool"
_DIRECTIVE = re.compile(rf"-- (?P<word>{_WORDS}):\s*(?P<text>.*)")
_VALUE_COLUMN = re.compile(r"(?P<column>\w+) = ")


@dataclass
class Case:
    """One thing done to a database.

    Parameters
    ----------
    name : str
        What it is, for people; unique among the cases of an engine.
    is_injury : bool
        It must be found; else it must not.
    at, also : list of str
        Where it must, and where it may, be reported.
    key : int, optional
        The row that the reported key range has to hold.
    statements, undo : list of str
        SQL. Without `undo`, the database is built anew where it is not copied.
    options : dict of str to list of str
        ``reads with``, ``reads as``, ``reads through``, ``tool``.
    value_column : str, optional
        The column that a ``value`` case changes.
    """

    name: str
    is_injury: bool
    at: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    key: int | None = None
    statements: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)
    value_column: str | None = None

    @property
    def kind(self) -> str:
        """``injury`` or ``harmless``."""
        return "injury" if self.is_injury else "harmless"

    def option(self, word: str) -> str | None:
        """Return the one value of an option."""
        return next(iter(self.options.get(word, [])), None)


def read_cases(engine: str) -> list[Case]:
    """Read all cases of an engine, by its name."""
    files = [path for folder in FOLDERS[engine] for path in sorted((FOLDER / folder).glob("*.sql"))]
    cases = [case for path in files if path.name not in _NO_CASES for case in _parse(path)]
    names = [case.name for case in cases]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(f"{engine} has cases of the same name: {sorted(repeated)}")
    return cases


@cache
def read_statements(engine: str, file_name: str) -> list[str]:
    """Return the statements of a file that holds no cases, from every folder of the engine that has it."""
    paths = [FOLDER / folder / file_name for folder in FOLDERS[engine]]
    return [one for path in paths if path.exists() for one in split_statements(path.read_text(encoding="utf-8"))]


def split_statements(text: str) -> Iterator[str]:
    """Cut text into statements, each ending with ``;`` at the end of a line."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("-- ") or not (line.strip() or lines):
            continue
        lines.append(line)
        if line.endswith(";"):
            yield "\n".join(lines).removesuffix(";")
            lines = []
    if lines:
        raise ValueError(f"This statement has no end: {lines}")


def _parse(path: Path) -> list[Case]:
    cases: list[Case] = []
    blocks: list[tuple[list[str], list[str]]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            if not line.startswith("-- ") and line.strip():
                blocks[-1][0].append(line)
            continue
        word, text = match["word"], match["text"]
        if word in ("injury", "harmless", "value"):
            cases.append(_value_case(text) if word == "value" else Case(text, word == "injury"))
            blocks.append(([], cases[-1].statements))
        elif not cases:
            raise ValueError(f"{path.name}:{number}: {word} belongs to no case")
        elif word == "undo":
            blocks.append(([], cases[-1].undo))
        else:
            _set(cases[-1], word, text)
    for lines, statements in blocks:
        statements.extend(split_statements("\n".join(lines)))
    return cases


def _set(case: Case, word: str, text: str) -> None:
    if word == "key":
        case.key = int(text)
    elif word in ("at", "also"):
        getattr(case, word).append(text)
    else:
        case.options.setdefault(word, []).append(text)


def _value_case(text: str) -> Case:
    match = _VALUE_COLUMN.match(text)
    if match is None:
        raise ValueError(f"This is no assignment: {text}")
    column = match["column"]
    return Case(
        name=f"{VALUE_TABLE}: {text}",
        is_injury=True,
        at=[f"columns {VALUE_TABLE}.{column}: data"],
        key=VALUE_ROW,
        statements=[f"UPDATE {VALUE_TABLE} SET {text} WHERE id = {VALUE_ROW}"],
        value_column=column,
    )
