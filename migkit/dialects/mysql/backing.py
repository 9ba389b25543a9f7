"""Backups of MySQL and MariaDB: the server's own dump, at the instant of a capture, and the server's own client."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool
from sqlalchemy.exc import DBAPIError

from migkit.dialects.backing import Backing, BackupTool, Instant, Swap, SwapStatus
from migkit.dialects.mysql import scratch, session, swapping
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.definitions import Definition, Definitions, disabled, make, make_possible, prepare
from migkit.dialects.mysql.dump import connection_arguments
from migkit.dialects.mysql.exact_floats import FLOATS, write_floats
from migkit.dialects.mysql.explanations import explain_error
from migkit.dialects.mysql.sql import execute, quote, rows, scalar
from migkit.dialects.tool_process import ToolProcess
from migkit.errors import BackupFailed, CloneFailed, MissingTool, PermissionMissing, RestoreFailed
from migkit.ownership import SCRATCH_PREFIX
from migkit.progress import SILENT, Progress

_CONTENT = "dump.sql.zst"
OBJECTS = "objects.json"
# Text compresses to about that share of the room its rows take.
_COMPRESSED_SHARE = 0.5
_LOCK_PATIENCE_SECONDS = 5
_DUMP_ARGUMENTS = (
    "--single-transaction",
    "--quick",
    # Views, routines, triggers and events are kept apart. The tool would write some of them between statements that
    # alter the database by its name, which is that of another one where it is restored; triggers would fire while exact
    # values are put in, and events run wherever they are.
    "--skip-routines",
    "--skip-triggers",
    "--skip-events",
    "--hex-blob",
    "--tz-utc",
    "--no-tablespaces",
    "--skip-dump-date",
    "--max-allowed-packet=1G",
    "--default-character-set=utf8mb4",
    "--verbose",
)
# MariaDB's has no such options: it writes neither.
_MYSQL_DUMP_ARGUMENTS = ("--skip-column-statistics", "--set-gtid-purged=OFF")
_CLIENT_ARGUMENTS = ("--batch", "--binary-mode", "--max-allowed-packet=1G", "--default-character-set=utf8mb4")
# Said before the transaction has begun.
_CONNECTING = ("-- Connecting", "-- Skipping", "-- Starting")
_DENIED = re.compile(r"access denied|denied to user|privilege", re.IGNORECASE)
_EVENT_STATUS = re.compile(r" (?:\w*DISABLED|ENABLED|\w*DISABLED ON \w+) (?=ON COMPLETION )")


class MySQLBacking(Backing):
    """What MySQL and MariaDB can do about backups."""

    is_mariadb: bool
    # Grants belong to the server; they stay with the name of a database.
    left_out_of_backups = ("grant",)
    dormant_in_stage = ("event",)

    def backup_tools(self, connection: Connection) -> tuple[BackupTool, ...]:
        """Return the dump tool and the client of the server's own kind."""
        server = session.version_numbers(session.full_version(connection))[:2]
        return tuple(_tool(kind, self.is_mariadb, server) for kind in ("dump", "client"))

    def backup_release(self, server: str) -> str:
        """Return the release series, ``10.11``."""
        return ".".join(server.split()[-1].split(".")[:2])

    def backup_facts(self, connection: Connection) -> dict[str, Any]:
        """Return the character set and collation of the database."""
        found = rows(
            connection,
            "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
            " WHERE SCHEMA_NAME = DATABASE()",
        )
        return {"character_set": str(found[0][0]), "collation": str(found[0][1])}

    def backup_size(self, connection: Connection) -> int:
        """Return half of what rows take, compression reckoned in; indexes are not dumped."""
        total = scalar(
            connection,
            "SELECT COALESCE(SUM(DATA_LENGTH), 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
        )
        return int(int(total) * _COMPRESSED_SHARE)

    def settled_definition(self, kind: str, definition: str) -> str:
        """Leave out whether an event is switched on; in a staged database none is."""
        return _EVENT_STATUS.sub(" ", definition) if kind in self.dormant_in_stage else definition

    @contextmanager
    def hold_instant(self, engine: Engine) -> Iterator[Instant]:
        """Hold writers back until capture and dump have both begun."""
        locker = engine.connect()
        locker.detach()
        with closing(locker):
            method = _hold(locker)
            freed = threading.Event()

            def release() -> None:
                if not freed.is_set():
                    freed.set()
                    execute(locker, "UNLOCK TABLES")

            try:
                yield Instant(method, _position(locker), release)
            finally:
                with suppress(DBAPIError):  # A session that is gone holds nothing.
                    release()

    @contextmanager
    def write_backup(
        self, connection: Connection, folder: Path, instant: Instant, *, progress: Progress = SILENT
    ) -> Iterator[None]:
        """Let the server's own tool write one SQL text, compressed on its way to the disk."""
        (dump, _) = self.backup_tools(connection)
        database = str(scalar(connection, "SELECT DATABASE()"))
        apart = _definitions(connection, self.is_mariadb)
        _write_definitions(apart, folder / OBJECTS)
        tables, foreign = _tables(connection)
        begun, seen, shown = threading.Event(), 0, False

        def listen(line: str) -> None:
            nonlocal seen
            if line.startswith("-- ") and not line.startswith(_CONNECTING):
                begun.set()
            if line.startswith("-- Retrieving rows"):
                seen += 1
                if shown:
                    progress.advance()

        command = [
            dump.path,
            # What is in the user's own files is for other uses, a password least of all.
            "--no-defaults",
            *connection_arguments(connection.engine.url),
            *_DUMP_ARGUMENTS,
            *(() if self.is_mariadb else _MYSQL_DUMP_ARGUMENTS),
            *(f"--ignore-table={database}.{one.name}" for one in apart if one.kind == "VIEW"),
            "--",
            database,
        ]
        variables = environment(connection.engine.url)
        with ToolProcess(command, variables, output=folder / _CONTENT, on_line=listen) as process:
            while process.is_running and not begun.wait(0.02):
                pass
            if foreign:
                progress.note("⚠", f"Writers wait until the dump is done: {', '.join(foreign[:3])} has no transactions")
            else:
                instant.release()
            yield
            for table in write_floats(connection, folder / FLOATS):
                progress.note(
                    "⚠", f"{table} has FLOAT values that a dump does not bring back, and no key to mend them by"
                )
            progress.begin("Writing the backup", tables)
            progress.advance(seen)
            shown = True
            if process.wait():
                raise _failure(process, BackupFailed)
        instant.release()

    def create_stage(self, home: URL | None, name: str, facts: Mapping[str, Any]) -> URL:
        """Create an empty database with the character set of the original."""
        try:
            url = scratch.create_scratch(home, name)
        except PermissionMissing as error:
            right = rf"Grant ALL PRIVILEGES ON `{SCRATCH_PREFIX}%`.*, where backups are restored beside."
            raise PermissionMissing(error.what, where=error.where, next_step=right) from error
        with _session(url) as connection:
            execute(connection, f"ALTER DATABASE {quote(name)}{swapping.character_set(facts)}")
        return url

    def read_backup(self, folder: Path, staged: URL, facts: Mapping[str, Any], *, progress: Progress = SILENT) -> None:
        """Let the server's own client read the dump; events are made switched off."""
        with _session(staged) as connection:
            (_, client) = self.backup_tools(connection)
        command = [
            client.path,
            "--no-defaults",
            *connection_arguments(staged),
            *_CLIENT_ARGUMENTS,
            f"--database={staged.database}",
        ]
        progress.begin("Reading the backup")
        for source in (folder / _CONTENT, folder / FLOATS):
            if source.exists():
                with ToolProcess(command, environment(staged), source=source) as process:
                    if process.wait():
                        raise _failure(process, RestoreFailed)
        found = read_definitions(folder / OBJECTS)
        with _session(staged) as connection:
            prepare(connection)
            try:
                # What was broken in the original is broken here; comparing says so.
                make_possible(connection, [one for one in found if one.kind not in ("TRIGGER", "EVENT")])
                for one in found:
                    if one.kind in ("TRIGGER", "EVENT"):
                        make(connection, disabled(one) if one.kind == "EVENT" else one)
            except CloneFailed as error:
                raise RestoreFailed(error.what, where=staged.database) from error

    def aside_name(self, target: URL, stamp: str) -> str:
        """Return a name with as much of the old one as there is room for."""
        return swapping.aside_name(target, stamp)

    def swap_in(self, swap: Swap, *, terminate: bool, patience: float, progress: Progress = SILENT) -> None:
        """Rename all tables in one statement, and make again what cannot be renamed."""
        swapping.swap_in(
            swap,
            terminate=terminate,
            patience=patience,
            progress=progress,
            mariadb=self.is_mariadb,
            events=_events(swap),
        )

    def swap_status(self, swap: Swap) -> SwapStatus:
        """Look where the tables are."""
        return swapping.swap_status(swap)

    def finish_swap(self, swap: Swap) -> None:
        """Rename what is left, and make again what cannot be renamed."""
        swapping.finish_swap(swap)

    def undo_swap(self, swap: Swap) -> None:
        """Make triggers again that were dropped, and drop the empty database."""
        swapping.undo_swap(swap)

    def drop_aside(self, target: URL, aside: str) -> None:
        """Drop the database kept aside."""
        swapping.drop_aside(target, aside)


# --- one instant ------------------------------------------------------------------------------------------------------


def _hold(locker: Connection) -> str:
    """Keep everybody from writing: by the global read lock, else by locks on all tables of the database."""
    execute(locker, f"SET SESSION lock_wait_timeout = {_LOCK_PATIENCE_SECONDS}")
    try:
        execute(locker, "FLUSH TABLES WITH READ LOCK")
        return "capture and dump began under a brief global read lock"
    except DBAPIError:
        names = _base_tables(locker)
    try:
        if names:
            execute(locker, f"LOCK TABLES {', '.join(f'{quote(name)} READ' for name in names)}")
        return "capture and dump began under brief read locks on all tables of the database"
    except DBAPIError as error:
        raise BackupFailed(
            f"Writers cannot be held back for an instant: {explain_error(error)}",
            next_step="Grant RELOAD, or LOCK TABLES on the database; or wait until no long transaction writes to it.",
        ) from error


def _base_tables(connection: Connection) -> list[str]:
    found = rows(connection, "SHOW FULL TABLES")
    return [str(name) for name, kind in found if "VIEW" not in str(kind)]


def _position(locker: Connection) -> dict[str, Any]:
    """Return where the binary log stands, if there is one and it may be seen."""
    for statement in ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"):
        try:
            found = rows(locker, statement)
        except DBAPIError:
            continue
        if not found:
            return {}
        facts = {"binlog_file": str(found[0][0]), "binlog_position": int(found[0][1])}
        with suppress(DBAPIError):
            gtid = scalar(locker, "SELECT COALESCE(@@global.gtid_binlog_pos, '')")
            return facts | {"gtid": str(gtid)}
        return facts | ({"gtid": str(found[0][4]).replace("\n", "")} if len(found[0]) > 4 else {})
    return {}


def _tables(connection: Connection) -> tuple[int, list[str]]:
    """Return how many tables there are, and those that are no part of a transaction's snapshot."""
    found = rows(
        connection,
        "SELECT t.TABLE_NAME, e.TRANSACTIONS FROM information_schema.TABLES AS t"
        " LEFT JOIN information_schema.ENGINES AS e ON e.ENGINE = t.ENGINE"
        " WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')",
    )
    return len(found), [str(name) for name, transactions in found if transactions != "YES"]


# --- what is kept apart ----------------------------------------------------------------------------------------------


def _definitions(connection: Connection, mariadb: bool) -> list[Definition]:
    read = Definitions(Reader(connection, None, mariadb))
    return [*read.routines(), *read.views(), *read.triggers(), *read.events()]


def _write_definitions(found: Sequence[Definition], path: Path) -> None:
    path.write_text(json.dumps([one.to_document() for one in found], ensure_ascii=False, indent=1), encoding="utf-8")


def read_definitions(path: Path) -> list[Definition]:
    """Read the views, routines, triggers and events that a backup keeps apart."""
    return [Definition.from_document(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _events(swap: Swap) -> list[Definition] | None:
    if swap.data is None or not (swap.data / OBJECTS).exists():
        return None
    return [one for one in read_definitions(swap.data / OBJECTS) if one.kind == "EVENT"]


# --- tools ------------------------------------------------------------------------------------------------------------

_NAMES = {
    ("dump", True): ("mariadb-dump", "mysqldump"),
    ("client", True): ("mariadb", "mysql"),
    ("dump", False): ("mysqldump",),
    ("client", False): ("mysql",),
}
_VERSIONS = (re.compile(r"(\d+\.\d+(?:\.\d+)?)-MariaDB"), re.compile(r"Ver (\d+\.\d+(?:\.\d+)?)"))


def _tool(kind: str, mariadb: bool, server: tuple[int, ...]) -> BackupTool:
    names = _NAMES[kind, mariadb]
    label, package = ("MariaDB", "mariadb-client") if mariadb else ("MySQL", "mysql-client")
    found = [tool for tool in (_installed(shutil.which(name), mariadb) for name in names) if tool is not None]
    if not found:
        raise MissingTool(
            f"Backing up {label} needs {label}'s own {names[0]}, which is not on the PATH",
            next_step=f"Install the package {package} ({label}'s, not the other server's).",
        )
    tool = found[0]
    if session.version_numbers(tool.version)[:2] < server:
        wanted = ".".join(map(str, server))
        raise MissingTool(
            f"Backing up {label} {wanted} needs {names[0]} {wanted} or later; found {tool.version} at {tool.path}",
            next_step=f"Install the package {package} of {label} {wanted}.",
        )
    return tool


def _installed(path: str | None, mariadb: bool) -> BackupTool | None:
    said = _told(path) if path else None
    if path is None or said is None or ("mariadb" in said.lower()) != mariadb:
        return None
    version = next((match[1] for pattern in _VERSIONS if (match := pattern.search(said))), "0.0")
    return BackupTool(Path(path).name, version, path)


@lru_cache
def _told(path: str) -> str | None:
    """Return what a program says of itself; ``None`` if it does not run."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def environment(url: URL) -> dict[str, str]:
    """Return the environment of a tool, with the password: an argument could be read by every user of the machine."""
    variables = {key: value for key, value in os.environ.items() if key != "MYSQL_PWD"}
    if url.password:
        variables["MYSQL_PWD"] = str(url.password)
    return variables


def _failure(
    process: ToolProcess, kind: type[BackupFailed | RestoreFailed]
) -> BackupFailed | RestoreFailed | PermissionMissing:
    first = process.first_error()
    if _DENIED.search(first):
        return PermissionMissing(f"{process.name} may not do its work: {first}")
    return kind(f"{process.name} failed: {first}")


@contextmanager
def _session(url: URL) -> Iterator[Connection]:
    with ExitStack() as stack:
        engine = session.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        stack.callback(engine.dispose)
        yield stack.enter_context(engine.connect())
