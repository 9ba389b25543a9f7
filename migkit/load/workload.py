"""A workload: weighted statements and transactions, and where the values of their ``:names`` come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from migkit.dialects.base import Dialect
from migkit.display.card import Card, Fact, Fold
from migkit.display.escape import clean_line
from migkit.display.results import Drawn
from migkit.errors import ConfigError
from migkit.frames import WORKLOAD
from migkit.load.expressions import Assignment
from migkit.load.parameters import Parameter, as_parameter
from migkit.observe.describing import statement_kind, strip_comments

_BEGIN, _COMMIT = "BEGIN", "COMMIT"
_LONGEST_NAME = 60
# Requests are counted by numbers that hold no more.
_MOST_ENTRIES = 1024


@dataclass(frozen=True)
class Statement:
    """One statement that an application sends.

    Attributes
    ----------
    sql : str
        The statement, with ``:name`` where a value goes. A cast is ``::`` as ever; a colon that is none of both is
        written with a backslash before it.
    name : str
        What results call it; by default its first words.
    weight : float
        How often it comes, compared with the others.
    parameters : mapping
        A :mod:`parameter <migkit.load.parameters>` for each name; a ``range``, a list or a plain value will do.
    """

    sql: str
    name: str = ""
    weight: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Transaction:
    """Statements that an application sends between BEGIN and COMMIT; results count and time it as one.

    Attributes
    ----------
    statements : sequence of str
        The statements, in order. A name that comes several times has one value in the whole transaction.
    name, weight, parameters
        As for :class:`Statement`.
    """

    statements: Sequence[str]
    name: str = ""
    weight: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    r"""A statement or transaction of a workload, ready to be executed.

    Attributes
    ----------
    name : str
        Unlike any other of the workload.
    weight : float
        How often it comes.
    steps : tuple of str
        The statements, BEGIN and COMMIT among them.
    parameters : mapping
        Where values come from.
    assignments : tuple of Assignment
        Values that are computed from others, in order; what ``\set`` of a pgbench script does.
    """

    name: str
    weight: float
    steps: tuple[str, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    assignments: tuple[Assignment, ...] = ()

    @property
    def sql(self) -> str:
        """The statements as one text."""
        return ";\n".join(self.steps)

    @property
    def writes(self) -> bool:
        """Whether a statement of it changes data or the schema, as its first words tell."""
        return any(statement_kind(step) in ("dml", "ddl") for step in self.steps)


@dataclass(frozen=True, eq=False, repr=False)
class Workload(Drawn):
    """What applications ask of a database.

    Parameters
    ----------
    entries : tuple of Entry
        The statements and transactions; :meth:`of` makes them.
    name : str
        What it is, for people: a file's name, ``auto``, ``server``.
    unchecked : tuple of (str, str)
        What was to be part of it and is not, and why.

    Examples
    --------
    >>> work = Workload.of("SELECT 1", Statement("SELECT * FROM users WHERE id = :id", parameters={"id": range(1, 9)}))
    >>> [entry.name for entry in work.entries]
    ['SELECT 1', 'SELECT * FROM users WHERE id = :id']
    """

    entries: tuple[Entry, ...]
    name: str = "workload"
    unchecked: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, *parts: str | Statement | Transaction | Entry, name: str = "workload") -> Workload:
        """Make a workload of statements and transactions.

        Raises
        ------
        ConfigError
            If there is none or more than 1,024, a weight is not above 0, or a ``:name`` has no parameter (said when the
            load begins).
        """
        entries = [part if isinstance(part, Entry) else _entry(part) for part in parts]
        if not entries:
            raise ConfigError("The workload holds no statement", where=name)
        if len(entries) > _MOST_ENTRIES:
            raise ConfigError(f"The workload holds {len(entries):,} statements, {_MOST_ENTRIES:,} can be", where=name)
        for entry in entries:
            if not entry.weight > 0:
                raise ConfigError(f"The weight of {entry.name} has to be above 0", where=name)
        return cls(tuple(_distinct(entries)), name)

    @property
    def writes(self) -> bool:
        """Whether a statement of it changes data or the schema, as its first words tell."""
        return any(entry.writes for entry in self.entries)

    def check_names(self, dialect: Dialect) -> None:
        """Make sure that each name has a parameter.

        Raises
        ------
        ConfigError
            If one has none.
        """
        for entry in self.entries:
            known = {*entry.parameters, *(assignment.name for assignment in entry.assignments)}
            names = {name for step in entry.steps for name in dialect.named_sql(step).names}
            names |= {name for assignment in entry.assignments for name in assignment.names}
            for name in sorted(names - known):
                raise ConfigError(
                    f"{entry.name} has no parameter :{name}",
                    where=self.name,
                    next_step=f"Say where its values come from: -- migkit: param {name} range 1 1000. A colon that "
                    "begins no name is written \\:.",
                )

    def renamed(self, name: str) -> Workload:
        """Return it under another name."""
        return replace(self, name=name)

    def card(self) -> Card:
        """Return what it shows of itself."""
        rows = [
            {
                "statement": entry.name,
                "weight": entry.weight,
                "sql": entry.sql,
                "parameters": ", ".join(
                    [f":{name} {parameter!r}"[:200] for name, parameter in entry.parameters.items()]
                    + [f":{one.name} = {one.text}" for one in entry.assignments]
                ),
            }
            for entry in self.entries
        ]
        total = sum(entry.weight for entry in self.entries)
        writing = sum(entry.weight for entry in self.entries if entry.writes) / total
        return Card(
            title=f"Workload {self.name}",
            figures=(Fact("statements", str(len(self.entries))), Fact("writes", f"{writing:.0%}")),
            folds=(Fold("Statements", WORKLOAD.build(rows), told=True),),
        )


def _entry(part: str | Statement | Transaction) -> Entry:
    if isinstance(part, str):
        part = Statement(part)
    if isinstance(part, Statement):
        steps: tuple[str, ...] = (part.sql.strip().rstrip(";"),)
    else:
        steps = (_BEGIN, *(sql.strip().rstrip(";") for sql in part.statements), _COMMIT)
    first = steps[0] if isinstance(part, Statement) else steps[1]
    parameters = {name: _parameter(name, value) for name, value in part.parameters.items()}
    return Entry(part.name or first_words(first), float(part.weight), steps, parameters)


def _parameter(name: str, value: Any) -> Parameter:
    try:
        return as_parameter(value)
    except ValueError as error:
        raise ConfigError(f"The parameter :{name} is not usable: {error}") from None


def first_words(sql: str) -> str:
    """Return the beginning of a statement as a name for it."""
    line = clean_line(" ".join(strip_comments(sql).split()))
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1].rstrip() + "…"


def _distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Give entries of one name numbers."""
    named: dict[str, Entry] = {}
    for entry in entries:
        # A name may look like one that was numbered; results keep statements apart by nothing else.
        names = (entry.name if number == 1 else f"{entry.name} ({number})" for number in count(1))
        name = next(name for name in names if name not in named)
        named[name] = entry if name == entry.name else replace(entry, name=name)
    return list(named.values())
