"""Plain SQL: a pair ``NAME.up.sql`` / ``NAME.down.sql``, or one file with ``-- migrate:up`` and ``-- migrate:down``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import Dialect
from migkit.errors import MigrationInvalid
from migkit.migration.migration import Direction, Migration, RunSession, read_metadata
from migkit.migration.python_format import describe
from migkit.migration.sql_splitting import SqlStatement, split_statements
from migkit.migration.supervision import RunStopped

UP_SUFFIX, DOWN_SUFFIX = ".up.sql", ".down.sql"

_SECTION = re.compile(r"^--[ \t]*migrate:[ \t]*(?P<way>up|down)\b.*$", re.IGNORECASE | re.MULTILINE)
_SAYING = re.compile(r"^[ \t]*--[ \t]*migkit:[ \t]*(?P<key>\w+)[ \t]+(?P<value>.+?)[ \t]*$", re.MULTILINE)
_SAYING_ALONE = re.compile(r"^[ \t]*--[ \t]*migkit:[ \t]*(?P<key>\w*)[ \t]*$", re.MULTILINE)
_FIRST_COMMENT = re.compile(r"\A\s*--[ \t]*(?!migkit:|migrate:)(?P<text>[^\n]+)")
_ONLY_COMMENTS = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/|;)*", re.DOTALL)


@dataclass(frozen=True)
class Script:
    """The text of one way, and where it stands."""

    path: Path
    text: str
    first_line: int = 1

    def statements(self, dialect: Dialect) -> list[SqlStatement]:
        """Return its statements as the engine's client would cut them."""
        return split_statements(self.text, dialect.sql_dialect, where=str(self.path), first_line=self.first_line)


@dataclass(frozen=True, eq=False)
class SqlProgram:
    """One or two scripts."""

    ways: Mapping[str, Script]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files the scripts stand in."""
        return tuple(dict.fromkeys(script.path for script in self.ways.values()))

    def check(self, direction: Direction, dialect: Dialect) -> None:
        """Refuse a script that cannot be cut into statements, or that has none."""
        script = self.ways[direction]
        if not script.statements(dialect):
            raise MigrationInvalid("There is no statement in this file", where=str(script.path))

    def prepare(self, engine: Engine, dialect: Dialect) -> None:
        """Such a migration expects no bookkeeping."""

    def execute(self, direction: Direction, session: RunSession) -> None:
        """Send statement after statement in one transaction, or in those that the script itself opens and ends."""
        script = self.ways[direction]
        statements = script.statements(session.dialect)
        with session.engine.connect() as connection:
            plain = connection.execution_options(no_parameters=True)
            for done, statement in enumerate(statements):
                session.locate(f"{script.path}:{statement.line}")
                try:
                    _send(plain, statement.sql)
                except DBAPIError:
                    session.not_reached([later.sql for later in statements[done + 1 :]])
                    raise
                except RunStopped:
                    session.not_reached([later.sql for later in statements[done:]])
                    raise
            plain.commit()


_WORK = r"(?:\s+(?:TRANSACTION|WORK))?"
_CONTROLS: tuple[tuple[re.Pattern[str], Callable[[Connection], None]], ...] = (
    # A transaction is open anyway; the next statement begins one.
    (
        re.compile(rf"(?:BEGIN|START)(?:\s+(?:DEFERRED|IMMEDIATE|EXCLUSIVE))?{_WORK}", re.IGNORECASE),
        lambda connection: None,
    ),
    (re.compile(rf"(?:COMMIT|END){_WORK}", re.IGNORECASE), lambda connection: connection.commit()),
    (re.compile(rf"ROLLBACK{_WORK}", re.IGNORECASE), lambda connection: connection.rollback()),
)


def _send(connection: Connection, sql: str) -> None:
    for pattern, act in _CONTROLS:
        if pattern.fullmatch(sql.strip()):
            act(connection)
            return
    connection.exec_driver_sql(sql).close()


def find_pair(target: Path) -> tuple[Path, Path | None] | None:
    """Return the files of an SQL migration, however it was named: by either file, by ``NAME`` or ``NAME.sql``.

    Returns
    -------
    (Path, Path or None) or None
        The way up and the way down; ``None`` if `target` names no pair.
    """
    name = target.name
    for suffix in (UP_SUFFIX, DOWN_SUFFIX, ".sql", ""):
        if not name.lower().endswith(suffix):
            continue
        stem = name[: len(name) - len(suffix)] if suffix else name
        up, down = target.with_name(stem + UP_SUFFIX), target.with_name(stem + DOWN_SUFFIX)
        if up.is_file():
            return up, down if down.is_file() else None
        if suffix == DOWN_SUFFIX and target.is_file():
            raise MigrationInvalid(
                f"The way up, {up.name}, does not exist", where=str(target), next_step=f"Write it beside {name}."
            )
    return None


def load_sql(up: Path, down: Path | None, allow: Callable[[str], Sequence[str]]) -> Migration:
    """Load an SQL migration.

    Parameters
    ----------
    up : Path
        The way up, or the one file with both sections.
    down : Path or None
        The way down, where it is a file of its own.
    allow : callable
        From the migration's name to entries of the configuration.

    Raises
    ------
    MigrationInvalid
        If it has no way up, or says something about itself that cannot be read.
    """
    texts = {path: _read(path) for path in (up, down) if path is not None}
    ways = {"up": Script(up, texts[up]), "down": Script(down, texts[down])} if down else _sections(up, texts[up])
    name = up.name[: -len(UP_SUFFIX)] if up.name.lower().endswith(UP_SUFFIX) else up.stem
    said = _sayings(texts)
    if entries := [*said.get("allow", ()), *allow(name)]:
        said["allow"] = entries
    comment = _FIRST_COMMENT.match(texts[up])
    has_down = "down" in ways and _ONLY_COMMENTS.fullmatch(ways["down"].text) is None
    return Migration(
        name=name,
        path=up,
        kind="sql",
        metadata=read_metadata(said, where=str(up), defaults=describe(name, comment["text"] if comment else None)),
        has_down=has_down,
        source="\n".join(f"-- {path.name}\n{text}" for path, text in texts.items()) if down else texts[up],
        checksum=hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest(),
        program=SqlProgram(ways if has_down else {"up": ways["up"]}),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"This is no text in UTF-8: {error.reason} at byte {error.start}"
        raise MigrationInvalid(what, where=str(path)) from None


def _sections(path: Path, text: str) -> dict[str, Script]:
    marks = list(_SECTION.finditer(text))
    if not marks:
        return {"up": Script(path, text)}
    ways: dict[str, Script] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        way = mark["way"].lower()
        if way in ways:
            raise MigrationInvalid(f"-- migrate:{way} stands here twice", where=f"{path}:{_line(text, mark.start())}")
        section = text[mark.end() : following.start() if following else len(text)]
        ways[way] = Script(path, section, _line(text, mark.end()))
    if "up" not in ways:
        raise MigrationInvalid("There is no section -- migrate:up", where=str(path))
    return ways


def _sayings(texts: Mapping[Path, str]) -> dict[str, Any]:
    """Read ``-- migkit: KEY VALUE`` comments."""
    said: dict[str, Any] = {}
    allow: list[str] = []
    for path, text in texts.items():
        if alone := _SAYING_ALONE.search(text):
            raise MigrationInvalid(
                f"-- migkit: {alone['key']} says nothing",
                where=f"{path}:{_line(text, alone.start())}",
                next_step="Write for example: -- migkit: allow drop_column:users.legacy_flag",
            )
        for saying in _SAYING.finditer(text):
            if saying["key"] == "allow":
                allow.append(saying["value"])
            else:
                said[saying["key"]] = saying["value"]
    return said | {"allow": allow} if allow else said


def _line(text: str, position: int) -> int:
    return 1 + text.count("\n", 0, position)
