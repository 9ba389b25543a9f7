"""Guarding a change on PostgreSQL: read-only by the database's own setting, an advisory lock, sessions, amcheck."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from migkit.dialects.guarding import PROGRAM, Closed, Guarding, IndexProblem, Opened, Session, SessionState, first_words
from migkit.dialects.postgresql import session as driver
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.errors import DatabaseInUse, DeployRunning, PermissionMissing, UnsupportedFeature

_SETTING = "default_transaction_read_only"
_OVERRIDE = f"-c {_SETTING}=off"
_UNSET = "unset"
# "migk": advisory locks are numbers, and this one means a deploy.
_LOCK = 0x6D69676B
# Not in the database itself, for that may have to be renamed while the lock is held.
_MEETING_PLACE = "postgres"
_LOOK_SECONDS = 0.1
# A session that was still being opened shows only a moment later.
_QUIET_LOOKS = 3

_SESSIONS = """
SELECT pid, coalesce(usename, ''), coalesce(client_addr::text, 'local'), coalesce(application_name, ''),
       CASE WHEN wait_event_type = 'Lock' THEN 'waiting' ELSE coalesce(state, 'unknown') END,
       extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::float8, query
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend'
   AND pid <> pg_catalog.pg_backend_pid()
 ORDER BY xact_start NULLS LAST, pid
"""
_STATES: dict[str, SessionState] = {
    "active": "active",
    "idle": "idle",
    "idle in transaction": "idle in transaction",
    "idle in transaction (aborted)": "idle in transaction",
    "waiting": "waiting",
}
_OLDER = f"""
SELECT pid, state = 'idle' FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend'
   AND application_name <> '{PROGRAM}' AND application_name NOT LIKE '{PROGRAM} deploy %'
   AND pid <> pg_catalog.pg_backend_pid()
   AND backend_start <= {{moment}}::timestamptz
"""
_CONFIGURED = f"""
SELECT pg_catalog.split_part(setting, '=', 2), coalesce(r.rolname, '')
  FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS setting
  LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
 WHERE setting LIKE '{_SETTING}=%' AND {{which}}
"""
_OF_DATABASE = """s.setrole = 0 AND s.setdatabase =
 (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"""
_OF_ROLES = """s.setrole <> 0 AND s.setdatabase IN
 (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))"""
_PREPARED = "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database() ORDER BY gid"
_HOLDER = f"""
SELECT a.application_name, coalesce(a.client_addr::text, 'this server'), a.pid, a.backend_start::text
  FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.classid = {_LOCK} AND l.objid::bigint = {{key}} & 4294967295 AND l.granted
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""
_BTREES = """
SELECT n.nspname, t.relname, i.relname, i.oid
  FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_am AS a ON a.oid = i.relam
 WHERE a.amname = 'btree' AND i.relkind = 'i' AND x.indisvalid AND i.relpersistence <> 't'
 ORDER BY 1, 2, 3
"""


class GuardingPostgreSQL(Guarding):
    """Guarding on PostgreSQL."""

    open_setting = _UNSET
    read_only_objects: tuple[tuple[str, str], ...] = (("setting", f"{_SETTING} of the database"),)
    index_check = "bt_index_check() of amcheck"

    def sessions(self, connection: Connection) -> list[Session]:
        """Read ``pg_stat_activity``; other users' queries show only to those who may read them."""
        return [
            Session(pid, user, client, program, _STATES.get(state, "unknown"), seconds, first_words(query))
            for pid, user, client, program, state, seconds, query in execute(connection, _SESSIONS)
        ]

    def write_setting(self, connection: Connection) -> str:
        """Return the database's own default_transaction_read_only."""
        found = execute(connection, _CONFIGURED.format(which=_OF_DATABASE)).first()
        return str(found[0]) if found else _UNSET

    def is_read_only(self, connection: Connection) -> bool:
        """Ask the database's own setting; this session may have another."""
        return self.write_setting(connection) in ("on", "true", "yes", "1")

    def close_to_writers(self, engine: Engine, *, patience: float, terminate: bool) -> Closed:
        """Set default_transaction_read_only for the database, and end the sessions that began without it."""
        with _administering(engine) as connection:
            setting = self.write_setting(connection)
            _set(connection, "on")
            try:
                ended, stayed = _end_older(connection, patience, terminate)
            except BaseException:
                # Ctrl-C while sessions are waited for; a lost connection is seen to by who called.
                with suppress(SQLAlchemyError):
                    _set(connection, setting)
                raise
            if stayed:
                _set(connection, setting)
                raise DatabaseInUse(
                    f"{len(stayed)} sessions went on working for {patience:g} s, and may go on writing",
                    where=str(engine.url.database),
                    next_step="See them with `migkit db connections`, wait for them, or end them with --terminate.",
                )
            roles = [f"role {role}, which has a {_SETTING} of its own" for role in _exempt_roles(connection)]
            prepared = [f"prepared transaction {gid}" for gid in execute(connection, _PREPARED).scalars()]
        means = f"{_SETTING} = on for the database; a session may still lift it for itself on purpose"
        return Closed(means, ended, tuple(roles + prepared))

    def open_to_writers(self, engine: Engine, setting: str, *, patience: float, terminate: bool) -> Opened:
        """Go back to the earlier setting, and end the sessions that would go on being read-only."""
        with _administering(engine) as connection:
            was_closed = self.is_read_only(connection)
            _set(connection, setting)
        if not was_closed or setting == "on":
            return Opened()
        try:
            return _end_readers(engine, patience, terminate)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # It is open already; who was not ended yet would go on being read-only.
            return _end_readers(engine, patience, terminate)

    def writing_url(self, url: URL, program: str) -> URL:
        """Let sessions begin with a default_transaction_read_only of their own."""
        options = url.query.get("options", "")
        said = options if isinstance(options, str) else " ".join(options)
        said = said if _OVERRIDE in said else f"{said} {_OVERRIDE}".strip()
        return url.update_query_dict({"options": said, "application_name": program})

    @contextmanager
    def deploy_lock(self, engine: Engine, owner: str) -> Iterator[None]:
        """Hold an advisory lock in a session that bears the owner's name."""
        name = str(engine.url.database)
        program = f"{PROGRAM} deploy by {owner}".encode()[:63].decode(errors="ignore")
        with _meeting(engine.url, program) as connection:
            key = f"pg_catalog.hashtext({literal(name)})"
            if not execute(connection, f"SELECT pg_catalog.pg_try_advisory_lock({_LOCK}, {key})").scalar():
                raise _running(connection, name, key)
            yield
            # The lock goes with the session, also where the server has ended it.
            with suppress(DBAPIError):
                execute(connection, f"SELECT pg_catalog.pg_advisory_unlock({_LOCK}, {key})")

    def end_orphans(self, connection: Connection, program: str, statements: Sequence[str]) -> int:
        """End the sessions that call themselves as the dead process did."""
        found = f"""SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND application_name = {literal(program)}
   AND pid <> pg_catalog.pg_backend_pid()"""
        return len(execute(connection, found).all())

    def is_lock_trouble(self, told: str) -> bool:
        """Know lock timeouts, deadlocks and serialization failures by their code."""
        return any(f"[{code}]" in told for code in ("55P03", "40P01", "40001"))

    def damaged_indexes(self, connection: Connection, tables: Sequence[tuple[str, str]]) -> list[IndexProblem]:
        """Let amcheck look at every B-tree, where it is installed; it only reads."""
        installed = "SELECT n.nspname FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n"
        schema = execute(connection, f"{installed} ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'").scalar()
        if schema is None:
            raise UnsupportedFeature(
                "The pages of indexes were not checked, because the extension amcheck is not installed",
                next_step="CREATE EXTENSION amcheck (as superuser) lets migkit check them.",
            )
        problems = []
        for place in execute(connection, _BTREES).all():
            if (place[0], place[1]) in tables:
                problems += _check(connection, str(schema), *place)
        return problems

    def violation_condition(self, expression: str) -> str:
        """Return the condition by the three-valued logic of the constraint itself."""
        return f"({expression}) IS FALSE"


@contextmanager
def _administering(engine: Engine) -> Iterator[Connection]:
    """Open a session that may alter the database though it is read-only."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        execute(connection, f"SET {_SETTING} = off")
        try:
            yield connection
        except DBAPIError as error:
            if driver.is_permission_error(error):
                raise PermissionMissing(
                    f"The right to make the database read-only is missing: {driver.explain_error(error)}",
                    where=str(engine.url.database),
                    next_step="It takes the database's owner, and pg_signal_backend to end other users' sessions.",
                ) from error
            raise
        finally:
            # The session goes back to a pool, unless it was lost.
            with suppress(SQLAlchemyError):
                execute(connection, f"RESET {_SETTING}")


def _set(connection: Connection, setting: str) -> None:
    name = quote(str(execute(connection, "SELECT pg_catalog.current_database()").scalar()))
    to = f"SET {_SETTING} = {literal(setting)}" if setting != _UNSET else f"RESET {_SETTING}"
    execute(connection, f"ALTER DATABASE {name} {to}")


def _end_readers(engine: Engine, patience: float, terminate: bool) -> Opened:
    with _administering(engine) as connection:
        ended, stayed = _end_older(connection, patience, terminate)
    return Opened(ended, len(stayed))


def _end_older(connection: Connection, patience: float, terminate: bool) -> tuple[int, list[int]]:
    """End sessions from before now, idle ones at once; return how many, and which go on working."""
    moment = literal(str(execute(connection, "SELECT pg_catalog.clock_timestamp()::text").scalar()))
    deadline, quiet = time.monotonic() + patience, 0
    ended: set[int] = set()
    while quiet < _QUIET_LOOKS:
        found = execute(connection, _OLDER.format(moment=moment)).all()
        quiet = quiet + 1 if not found else 0
        late = time.monotonic() > deadline
        if found and late and not terminate:
            return len(ended), [pid for pid, _ in found]
        for pid, idle in found:
            if idle or late:
                execute(connection, f"SELECT pg_catalog.pg_terminate_backend({int(pid)})")
                ended.add(pid)
        time.sleep(_LOOK_SECONDS)
    return len(ended), []


def _exempt_roles(connection: Connection) -> list[str]:
    found = execute(connection, _CONFIGURED.format(which=_OF_ROLES)).all()
    return sorted({str(role) for value, role in found if value not in ("on", "true", "yes", "1")})


@contextmanager
def _meeting(url: URL, program: str) -> Iterator[Connection]:
    """Open a session where every deploy to this server looks: in the maintenance database, if that lets one in."""
    for place in (_MEETING_PLACE, url.database):
        there = url.set(database=place).update_query_dict({"application_name": program})
        holder = driver.create_engine(there, poolclass=NullPool)
        try:
            connection = holder.connect().execution_options(isolation_level="AUTOCOMMIT")
        except DBAPIError:
            holder.dispose()
            if place == url.database:
                raise
            continue
        try:
            yield connection
        finally:
            connection.close()
            holder.dispose()
        return


def _running(connection: Connection, database: str, key: str) -> DeployRunning:
    holder = execute(connection, _HOLDER.format(key=key)).first()
    if holder is None:
        return DeployRunning("Somebody else deploys to this database", where=database, next_step="Try again.")
    program, client, pid, since = holder
    owner = str(program).removeprefix(f"{PROGRAM} deploy by ")
    return DeployRunning(
        f"{owner} deploys to this database since {since} (from {client}, session {pid})",
        where=database,
        next_step="Wait until it is done.",
    )


def _check(connection: Connection, extension: str, schema: str, table: str, name: str, oid: int) -> list[IndexProblem]:
    try:
        execute(connection, f"SELECT {quote(extension)}.bt_index_check({int(oid)})")
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        connection.rollback()
        return [IndexProblem(schema, table, name, driver.explain_error(error))]
    return []
