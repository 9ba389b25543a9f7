r"""Workloads from files: ``.sql`` with comments that say weights and parameters, ``.toml``, and pgbench's scripts.

An ``.sql`` file is one statement after the other. Comments before a statement say how it is to be sent::

    -- migkit: name SELECT orders by user
    -- migkit: weight 3
    -- migkit: param user_id sample users.id
    SELECT * FROM orders WHERE user_id = :user_id;

    -- migkit: param id range 1 100000
    BEGIN;
    UPDATE orders SET paid = true WHERE id = :id;
    COMMIT;

Parameters: ``range LOW HIGH``, ``zipf LOW HIGH [SKEW]``, ``sample [SCHEMA.]TABLE.COLUMN [SKEW]``, ``choice A, B, C``,
``constant VALUE``, ``sequence [START]``, ``sequence START TEMPLATE`` (``{}`` is the number), ``text LENGTH``. Names
with blanks or dots in them stand in double quotes. What lies between ``BEGIN`` and ``COMMIT`` is one transaction.

A file in which a line begins with ``\set`` is a script of pgbench: all of it is one transaction.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migkit.dialects.base import Dialect
from migkit.errors import ConfigError
from migkit.load.expressions import Assignment
from migkit.load.parameters import Choice, Constant, Counter, Integers, Parameter, Sampled, Text, Zipf
from migkit.load.workload import Entry, Statement, Transaction, Workload, first_words
from migkit.migration.sql_splitting import split_statements

_DIRECTIVE = re.compile(r"^\s*--\s*migkit:\s*(?P<words>.*?)\s*$", re.IGNORECASE)
_META = re.compile(r"^\s*\\(?P<command>\w+)\s*(?P<rest>.*?)\s*$")
_BEGIN = re.compile(r"(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_END = re.compile(r"(?:COMMIT|END|ROLLBACK)\b", re.IGNORECASE)
# A name in double quotes, or a word without blanks and dots.
_PART = re.compile(r'"((?:[^"]|"")*)"|([^\s."]+)')


def read_workload(path: Path, dialect: Dialect) -> Workload:
    """Read a workload.

    Parameters
    ----------
    path : Path
        ``.toml``, or SQL.
    dialect : Dialect
        Whose SQL it is.

    Raises
    ------
    ConfigError
        If the file is missing, or something in it is not understood; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The workload cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("The workload is not text in UTF-8", where=str(path)) from None
    if path.suffix == ".toml":
        return _from_toml(text, path)
    if any(_META.match(line) for line in text.splitlines()):
        return _from_pgbench(text, path, dialect)
    return _from_sql(text, path, dialect)


# --- .sql -----------------------------------------------------------------------------------------------------------


@dataclass
class _Said:
    """What comments said of the next statement."""

    name: str = ""
    weight: float = 1.0
    parameters: dict[str, Parameter] = field(default_factory=dict)


def _from_sql(text: str, path: Path, dialect: Dialect) -> Workload:
    lines = text.splitlines()
    entries: list[Entry] = []
    said, steps, done_until = _Said(), [], 0
    for statement in split_statements(text, dialect.sql_dialect, where=str(path)):
        _listen(lines, done_until, statement.line, said, path)
        done_until = statement.line
        steps.append(statement.sql)
        in_transaction = bool(_BEGIN.match(steps[0]))
        if not in_transaction or _END.match(statement.sql):
            entries.append(_said_entry(said, steps))
            said, steps = _Said(), []
    if steps:
        raise ConfigError("A transaction has no COMMIT", where=f"{path}:{done_until}")
    return Workload.of(*entries, name=path.name)


def _listen(lines: list[str], after: int, before: int, said: _Said, path: Path) -> None:
    """Take what comments say between two statements; lines count from 1."""
    for number in range(after, before):
        found = _DIRECTIVE.match(lines[number - 1]) if number > 0 else None
        if found:
            _obey(found["words"], said, f"{path}:{number}")


def _obey(words: str, said: _Said, where: str) -> None:
    command, _, rest = words.partition(" ")
    if command == "weight":
        said.weight = _number(rest, where)
    elif command == "name":
        said.name = rest.strip()
    elif command == "param":
        name, _, spec = rest.strip().partition(" ")
        said.parameters[name.removeprefix(":")] = parse_parameter(spec, where)
    else:
        raise ConfigError(
            f"The comment 'migkit: {command}' means nothing in a workload",
            where=where,
            next_step="Known: name, weight, param.",
        )


def _said_entry(said: _Said, steps: list[str]) -> Entry:
    first = steps[1] if len(steps) > 1 and _BEGIN.match(steps[0]) else steps[0]
    return Entry(said.name or first_words(first), said.weight, tuple(steps), said.parameters)


def parse_parameter(spec: str, where: str) -> Parameter:
    """Read what a comment or a ``.toml`` file says of a parameter: ``sample users.id``.

    Raises
    ------
    ConfigError
        If it is not understood.
    """
    kind, _, rest = spec.strip().partition(" ")
    reader = _READERS.get(kind)
    if reader is None:
        raise ConfigError(
            f"There is no parameter of kind {kind!r}", where=where, next_step=f"Known: {', '.join(_READERS)}."
        )
    try:
        return reader(rest.strip())
    except (ValueError, IndexError, TypeError) as error:
        raise ConfigError(f"The parameter is not understood: {spec.strip()} ({error})", where=where) from None


def _sample(rest: str) -> Parameter:
    path, skew, position = [], None, 0
    while found := _PART.match(rest, position):
        path.append(found[1].replace('""', '"') if found[1] is not None else found[2])
        position = found.end()
        if rest[position : position + 1] != ".":
            break
        position += 1
    if rest[position:].strip():
        skew = float(rest[position:])
    if len(path) not in (2, 3):
        raise ValueError("a column is written TABLE.COLUMN or SCHEMA.TABLE.COLUMN")
    return Sampled(table=path[-2], column=path[-1], schema=path[0] if len(path) == 3 else "", skew=skew)


def _zipf(rest: str) -> Parameter:
    low, high, *skew = rest.split()
    return Zipf(int(low), int(high), *(float(one) for one in skew[:1]))


def _range(rest: str) -> Parameter:
    low, high = rest.split()
    return Integers(int(low), int(high))


def _sequence(rest: str) -> Parameter:
    start, _, template = rest.partition(" ")
    return Counter(int(start or 1), template.strip())


_READERS: dict[str, Callable[[str], Parameter]] = {
    "range": _range,
    "zipf": _zipf,
    "sample": _sample,
    "choice": lambda rest: Choice(tuple(_value(part) for part in rest.split(",") if part.strip())),
    "constant": lambda rest: Constant(_value(rest)),
    "sequence": _sequence,
    "text": lambda rest: Text(int(rest or 16)),
}


def _value(text: str) -> Any:
    text = text.strip()
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"A weight is a number, not {text.strip()!r}", where=where) from None


# --- .toml ----------------------------------------------------------------------------------------------------------


def _from_toml(text: str, path: Path) -> Workload:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"This is not valid TOML: {error}", where=str(path)) from None
    parts: list[Statement | Transaction] = []
    for key, entries in document.items():
        if key not in ("statement", "transaction") or not isinstance(entries, list):
            raise ConfigError(
                f"Unknown key {key!r}", where=str(path), next_step="A workload has [[statement]] and [[transaction]]."
            )
        parts += [_toml_part(entry, key == "transaction", f"{path}: {key} {n}") for n, entry in enumerate(entries, 1)]
    return Workload.of(*parts, name=path.name)


def _toml_part(entry: Mapping[str, Any], is_transaction: bool, where: str) -> Statement | Transaction:
    body = "statements" if is_transaction else "sql"
    unknown = set(entry) - {body, "name", "weight", "parameters"}
    if unknown or body not in entry:
        wrong = f"Unknown key {min(unknown)!r}" if unknown else f"The key {body!r} is missing"
        raise ConfigError(wrong, where=where, next_step=f"Known: {body}, name, weight, parameters.")
    parameters = {
        name: parse_parameter(spec, where) if isinstance(spec, str) else spec
        for name, spec in entry.get("parameters", {}).items()
    }
    common: dict[str, Any] = {
        "name": str(entry.get("name", "")),
        "weight": _number(str(entry.get("weight", 1)), where),
        "parameters": parameters,
    }
    if is_transaction:
        return Transaction(tuple(str(one) for one in entry[body]), **common)
    return Statement(str(entry[body]), **common)


# --- pgbench --------------------------------------------------------------------------------------------------------


def _from_pgbench(text: str, path: Path, dialect: Dialect) -> Workload:
    assignments, kept = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        meta = _META.match(line)
        kept.append("" if meta else line)
        if meta is None:
            continue
        if meta["command"] != "set":
            raise ConfigError(
                rf"\{meta['command']} of pgbench is not understood",
                where=f"{path}:{number}",
                next_step=r"Of its commands, \set is; write delays and conditions as statements of their own.",
            )
        name, _, expression = meta["rest"].partition(" ")
        assignments.append(_checked(Assignment(name, expression.strip()), f"{path}:{number}"))
    statements = split_statements("\n".join(kept), dialect.sql_dialect, where=str(path))
    if not statements:
        raise ConfigError("The workload holds no statement", where=str(path))
    parameters: dict[str, Parameter] = {"client_id": Integers(0, 1_000), "random_seed": Constant(1)}
    steps = tuple(statement.sql for statement in statements)
    used = {name for assignment in assignments for name in assignment.names}
    used |= {name for step in steps for name in dialect.named_sql(step).names}
    if "scale" in used and not any(one.name == "scale" for one in assignments):
        parameters["scale"] = Constant(1)
    computed = _drawn_ahead(assignments, parameters)
    entry = Entry(path.stem, 1.0, steps, {k: v for k, v in parameters.items() if k in used}, computed)
    return Workload.of(entry, name=path.name)


def _drawn_ahead(assignments: list[Assignment], parameters: dict[str, Parameter]) -> tuple[Assignment, ...]:
    """Turn assignments that depend on no other one into parameters, whose values are drawn many at a time."""
    names = [assignment.name for assignment in assignments]
    left = []
    for assignment in assignments:
        constants = {name: one.value for name, one in parameters.items() if isinstance(one, Constant)}
        drawn = assignment.as_parameter(constants) if names.count(assignment.name) == 1 else None
        if drawn is None:
            left.append(assignment)
        else:
            parameters[assignment.name] = drawn
    return tuple(left)


def _checked(assignment: Assignment, where: str) -> Assignment:
    try:
        assignment.compiled()
    except ConfigError as error:
        raise ConfigError(error.what, where=where, next_step=error.next_step) from None
    return assignment
