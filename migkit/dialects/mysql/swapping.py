"""One database takes the place of another: all tables are renamed by one statement, the rest is made again.

Tables can be renamed into another database, views, routines, events and triggers cannot, and a table with triggers
neither. So triggers go first, written down before; the one RENAME TABLE decides which tables serve; and what cannot be
renamed follows. Before that statement everything can be undone, after it only finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.backing import KEPT_PREFIX, Swap, SwapStatus
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.catalog_tables import TABLE_KINDS
from migkit.dialects.mysql.definitions import Definition, Definitions, disabled, make_all, make_possible, prepare
from migkit.dialects.mysql.explanations import explain_error, is_permission_error
from migkit.dialects.mysql.leaving import end_sessions, ending_sessions, in_use, open_session, wait_for_leaving
from migkit.dialects.mysql.sql import execute, literal, quote, rows
from migkit.errors import CloneFailed, ConfigError, PermissionMissing, RestoreFailed
from migkit.progress import Progress
from migkit.storage import read_json, write_json

_NAME_LENGTH = 64
_RECORD = "definitions.json"
_DONE = "swapped.json"
_LOOK_SECONDS = 0.2
_LOCK_SECONDS = 10
# In the order in which they are dropped; made the other way round.
_KINDS = ("EVENT", "VIEW", "PROCEDURE", "FUNCTION")


@dataclass(frozen=True)
class _Side:
    """What one of the two databases holds."""

    tables: tuple[str, ...]
    objects: tuple[Definition, ...]
    triggers: tuple[Definition, ...]
    facts: Mapping[str, str]

    def to_document(self) -> dict[str, Any]:
        return {
            "tables": list(self.tables),
            "objects": [one.to_document() for one in self.objects],
            "triggers": [one.to_document() for one in self.triggers],
            "facts": dict(self.facts),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> _Side:
        return cls(
            tuple(document["tables"]),
            tuple(Definition.from_document(one) for one in document["objects"]),
            tuple(Definition.from_document(one) for one in document["triggers"]),
            document["facts"],
        )


def aside_name(target: URL, stamp: str) -> str:
    """Return a name with as much of the old one as there is room for.

    >>> aside_name(URL.create("mysql", database="shop"), "20261122")
    'migkit_kept_shop_20261122'
    """
    room = _NAME_LENGTH - len(KEPT_PREFIX) - len(stamp) - 1
    return f"{KEPT_PREFIX}{str(target.database)[:room]}_{stamp}"


def character_set(facts: Mapping[str, Any]) -> str:
    """Return the clause that gives a database its character set."""
    return f" CHARACTER SET {facts['character_set']} COLLATE {facts['collation']}"


def swap_in(
    swap: Swap,
    *,
    terminate: bool,
    patience: float,
    progress: Progress,
    mariadb: bool,
    events: Sequence[Definition] | None,
) -> None:
    """Put the staged database in the target's place.

    Parameters
    ----------
    swap : Swap
        Which, and in whose place.
    terminate : bool
        End sessions that stay on the target.
    patience : float
        Seconds to wait for them first.
    progress : Progress
        Told who is waited for.
    mariadb : bool
        The server is MariaDB.
    events : sequence of Definition or None
        The events as they are to be; by default those of the staged database.

    Raises
    ------
    DatabaseInUse
        If sessions stay on the target.
    PermissionMissing, RestoreFailed
        If it fails.
    """
    with open_session(swap.target) as serving, open_session(swap.staged) as staged:
        old, new = _read(serving, mariadb), _read(staged, mariadb)
    # On no database, this session is not one of those that have to leave.
    with open_session(swap.target._replace(database=None)) as connection:
        if events is not None:
            others = [one for one in new.objects if one.kind != "EVENT"]
            new = _Side(new.tables, (*others, *events), new.triggers, new.facts)
        _require_no_reference(connection, swap)
        left = wait_for_leaving(connection, swap, patience, progress)
        if left and not terminate:
            raise in_use(swap, left)
        write_json(swap.folder / _RECORD, {"old": old.to_document(), "new": new.to_document()})
        (swap.folder / _RECORD).chmod(0o600)
        with _explained(swap), ending_sessions(swap, terminate):
            execute(connection, f"CREATE DATABASE IF NOT EXISTS {quote(swap.aside)}{character_set(old.facts)}")
            _drop_triggers(connection, str(swap.target.database), old.triggers)
            _drop_triggers(connection, str(swap.staged.database), new.triggers)
            _rename(connection, swap, old, new)
        _make_the_rest(swap, old, new)


def _read(connection: Connection, mariadb: bool) -> _Side:
    reader = Reader(connection, None, mariadb)
    read = Definitions(reader)
    kinds = {*TABLE_KINDS, "SEQUENCE"}
    [(charset, collation)] = rows(
        connection,
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
        " WHERE SCHEMA_NAME = DATABASE()",
    )
    packages = rows(
        connection,
        "SELECT ROUTINE_NAME FROM information_schema.ROUTINES"
        " WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE NOT IN ('FUNCTION', 'PROCEDURE')",
    )
    if packages:
        raise RestoreFailed(
            f"The package {packages[0][0]} cannot be moved",
            next_step="Restore into a database of another name, by hand: the dump is plain SQL.",
        )
    return _Side(
        tuple(row["table_name"] for row in reader.tables if row["table_type"] in kinds),
        (*read.routines(), *read.views(), *read.events()),
        tuple(read.triggers()),
        {"character_set": str(charset), "collation": str(collation)},
    )


def _drop_triggers(connection: Connection, database: str, triggers: Sequence[Definition]) -> None:
    for trigger in triggers:
        execute(connection, f"DROP TRIGGER IF EXISTS {quote(database, trigger.name)}")


def _rename(connection: Connection, swap: Swap, old: _Side, new: _Side) -> None:
    """Rename whatever has not been renamed yet: all of the old tables out of the way, then all of the new ones in."""
    target, staged = str(swap.target.database), str(swap.staged.database)
    gone, waiting = _tables(connection, swap.aside), _tables(connection, staged)
    moves = [(target, swap.aside, name) for name in old.tables if name not in gone]
    moves += [(staged, target, name) for name in new.tables if name in waiting]
    if moves:
        renames = ", ".join(f"{quote(origin, name)} TO {quote(place, name)}" for origin, place, name in moves)
        execute(connection, f"RENAME TABLE {renames}")


def _make_the_rest(swap: Swap, old: _Side, new: _Side) -> None:
    """Make again what cannot be renamed: the new where they serve, the old (events switched off) where kept."""
    aside = swap.target.set(database=swap.aside)
    with _explained(swap):
        with open_session(swap.target) as connection:
            _drop_objects(connection, str(swap.target.database), old.objects)
            execute(connection, f"ALTER DATABASE {quote(str(swap.target.database))}{character_set(new.facts)}")
            _make(connection, str(swap.target.database), new, dormant=False)
        with open_session(aside) as connection:
            _make(connection, swap.aside, old, dormant=True)
        write_json(swap.folder / _DONE, {"done": True})


def _drop_objects(connection: Connection, database: str, objects: Sequence[Definition]) -> None:
    for kind in _KINDS:
        for one in objects:
            if one.kind == kind:
                execute(connection, f"DROP {kind} IF EXISTS {quote(database, one.name)}")


def _make(connection: Connection, database: str, side: _Side, *, dormant: bool) -> None:
    prepare(connection)
    present = _present(connection, database)
    wanted = [disabled(one) if dormant and one.kind == "EVENT" else one for one in (*side.objects, *side.triggers)]
    missing = [one for one in wanted if (one.kind, one.name) not in present]
    # What is kept aside may hold views that were broken before; their text is in the record. Events come last: they may
    # run at once.
    work = make_possible if dormant else make_all
    work(connection, [one for one in missing if one.kind not in ("EVENT", "TRIGGER")])
    work(connection, [one for one in missing if one.kind == "TRIGGER"])
    work(connection, [one for one in missing if one.kind == "EVENT"])


def _present(connection: Connection, database: str) -> set[tuple[str, str]]:
    name = literal(database)
    found = rows(
        connection,
        f"SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name}"
        f" UNION ALL SELECT 'VIEW', TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {name}"
        f" UNION ALL SELECT 'TRIGGER', TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {name}"
        f" UNION ALL SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name}",
    )
    return {(str(kind), str(name)) for kind, name in found}


def _tables(connection: Connection, database: str) -> set[str]:
    found = rows(
        connection,
        "SELECT TABLE_NAME FROM information_schema.TABLES"
        f" WHERE TABLE_SCHEMA = {literal(database)} AND TABLE_TYPE NOT LIKE '%VIEW'",
    )
    return {str(name) for (name,) in found}


# --- where it stands --------------------------------------------------------------------------------------------------


def _recorded(swap: Swap) -> tuple[_Side, _Side] | None:
    if not (swap.folder / _RECORD).exists():
        return None
    document = read_json(swap.folder / _RECORD)
    return _Side.from_document(document["old"]), _Side.from_document(document["new"])


def swap_status(swap: Swap) -> SwapStatus:
    """Look where the tables are: one that was renamed means that all were, or are to be."""
    recorded = _recorded(swap)
    if recorded is None:
        return "before"
    if (swap.folder / _DONE).exists():
        return "after"
    old, new = recorded
    with open_session(swap.target) as connection:
        kept, waiting = _tables(connection, swap.aside), _tables(connection, str(swap.staged.database))
    if old.tables:
        return "between" if kept.intersection(old.tables) else "before"
    return "before" if new.tables and waiting.issuperset(new.tables) else "between"


def finish_swap(swap: Swap) -> None:
    """Do what is left of a swap whose tables were renamed."""
    recorded = _recorded(swap)
    if recorded is None or (swap.folder / _DONE).exists():
        return
    old, new = recorded
    with _explained(swap), open_session(swap.target) as connection:
        execute(connection, f"CREATE DATABASE IF NOT EXISTS {quote(swap.aside)}{character_set(old.facts)}")
        _rename(connection, swap, old, new)
    _make_the_rest(swap, old, new)


def undo_swap(swap: Swap) -> None:
    """Make the target's triggers again, and drop the database that nothing was renamed into."""
    recorded = _recorded(swap)
    if recorded is None:
        return
    old, _ = recorded
    with _explained(swap), open_session(swap.target) as connection:
        prepare(connection)
        present = _present(connection, str(swap.target.database))
        make_all(connection, [one for one in old.triggers if (one.kind, one.name) not in present])
        if not _tables(connection, swap.aside):
            execute(connection, f"DROP DATABASE IF EXISTS {quote(swap.aside)}")
    (swap.folder / _RECORD).unlink()


def drop_aside(target: URL, aside: str) -> None:
    """Drop the database kept aside, ending sessions on it; nothing if it is gone.

    Raises
    ------
    ConfigError
        If the name is not one that migkit gives.
    """
    if not aside.startswith(KEPT_PREFIX):
        raise ConfigError(f"{aside} was not kept aside by migkit, so migkit does not drop it")
    with open_session(target) as connection:
        end_sessions(connection, aside)
        execute(connection, f"DROP DATABASE IF EXISTS {quote(aside)}")


# --- others -----------------------------------------------------------------------------------------------------------


def _require_no_reference(connection: Connection, swap: Swap) -> None:
    name = literal(str(swap.target.database))
    found = rows(
        connection,
        "SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE"
        f" WHERE REFERENCED_TABLE_SCHEMA = {name} AND TABLE_SCHEMA <> {name}",
    )
    if found:
        raise RestoreFailed(
            f"The table {found[0][0]}.{found[0][1]} refers to it, and would go on referring to what is kept aside",
            where=swap.target.database,
            next_step="Drop that foreign key first, and make it again afterwards.",
        )


@contextmanager
def _explained(swap: Swap) -> Iterator[None]:
    try:
        yield
    except CloneFailed as error:
        raise RestoreFailed(error.what, where=swap.target.database, next_step=error.next_step) from error
    except DBAPIError as error:
        reason = explain_error(error)
        if is_permission_error(error):
            raise PermissionMissing(
                f"The user may not put one database in another's place: {reason}",
                where=swap.target.database,
                next_step=f"Grant ALL PRIVILEGES on the database, on `{KEPT_PREFIX}%` and on `migkit_scratch_%`.",
            ) from error
        raise RestoreFailed(f"The tables could not be renamed: {reason}", where=swap.target.database) from error
