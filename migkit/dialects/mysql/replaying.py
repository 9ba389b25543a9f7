"""Doing again, in another database, what the binary log says was done in one: until a moment, and no further."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql import binlog_events as events
from migkit.dialects.mysql import reach, session
from migkit.dialects.mysql.binlog_events import Event, Query
from migkit.dialects.mysql.binlog_stream import Stream, open_stream, reached
from migkit.dialects.mysql.explanations import explain_error, is_permission_error
from migkit.dialects.mysql.sql import execute, quote, rows
from migkit.dialects.point_in_time import LogMoment
from migkit.errors import MomentUnreachable, PermissionMissing, RestoreFailed, UnsupportedFeature
from migkit.progress import Progress

# Rows of a statement are sent together, up to so much at a time.
_BATCH_BYTES = 1_000_000
_SECOND = timedelta(seconds=1)
_STATEMENT_EVENTS = frozenset({events.INTVAR, events.RAND})
_ABOUT_THE_DATABASE = frozenset({"DATABASE", "SCHEMA"})


def replay(source: URL, staged: URL, start: str, target: LogMoment, *, exact: bool, progress: Progress) -> int:
    """Do in `staged` what was done in `source` from a position of the binary log until a moment.

    Parameters
    ----------
    source : sqlalchemy.URL
        The database that serves; only its log is read.
    staged : sqlalchemy.URL
        A database that holds what `source` held at `start`.
    start : str
        Where in the log to begin.
    target : LogMoment
        Where to end; its position counts, if it has one.
    exact : bool
        The log tells when a transaction was committed to the microsecond; else in whole seconds.
    progress : Progress
        Told of each transaction.

    Returns
    -------
    int
        How many transactions were done again.

    Raises
    ------
    MomentUnreachable
        If the log has a gap, ends too early, or holds what cannot be done again in another database.
    """
    progress.begin("Replaying the binary log")
    with _writer(staged) as connection, open_stream(source, start) as stream:
        work = _Replay(connection, stream, str(source.database), str(staged.database), target, exact, progress)
        for event in stream:
            if work.is_done(event):
                break
            work.take(event)
        else:
            work.require_reached()
        work.end()
        return work.transactions


@contextmanager
def _writer(staged: URL) -> Iterator[Connection]:
    engine = session.create_engine(staged, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.detach()
            yield connection
    finally:
        engine.dispose()


class _Replay:
    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        database: str,
        staged: str,
        target: LogMoment,
        exact: bool,
        progress: Progress,
    ) -> None:
        self.transactions = 0
        self._connection = connection
        self._stream = stream
        self._database, self._staged = database, staged
        self._target, self._exact, self._progress = target, exact, progress
        self._neighbours = self._others()
        self._format: Event | None = None
        # By the number that a table map gives to a table: whether it is one of ours.
        self._ours: dict[int, bool] = {}
        # Of the statement that is being read: the tables it changes, and its rows that were not sent yet.
        self._maps: list[Event] = []
        self._pending: list[Event] = []
        self._given: list[str] = []
        self._in_transaction = False
        self._alone = False
        self._touched = False
        self._last: Event | None = None
        self._doubtful = False

    def _others(self) -> frozenset[str]:
        names = {str(row[0]) for row in rows(self._connection, "SHOW DATABASES")}
        return frozenset(names - {"information_schema", self._database, self._staged})

    # --- until when ---------------------------------------------------------------------------------------------------

    def is_done(self, event: Event) -> bool:
        """Tell whether this event belongs to what came after the moment; asked where a transaction begins."""
        begins = event.kind in (events.GTID, events.ANONYMOUS_GTID, events.TAGGED_GTID, events.MARIADB_GTID)
        if not begins or self._in_transaction:
            self._last = event
            return False
        if self._target.position is not None:
            previous = self._last
            done = previous is not None and reached(previous.file, previous.end, self._target.position)
            self._last = event
            return done or reached(event.file, event.end, self._target.position)
        self._last = event
        return self._is_later(event)

    def _is_later(self, event: Event) -> bool:
        moment = events.commit_moment(event) if self._exact else None
        if moment is not None:
            return moment > self._target.moment
        second = events.second_of(event)
        self._doubtful = second <= self._target.moment < second + _SECOND and second != self._target.moment
        return second > self._target.moment or second == self._target.moment

    def _require_certain(self) -> None:
        """Refuse to guess on which side of the moment a change was that the log tells only the second of."""
        if self._doubtful:
            second = self._target.moment.replace(microsecond=0)
            raise MomentUnreachable(
                f"The binary log tells whole seconds, and the database was changed in the second of {_told(second)}",
                next_step=f"Name {_told(second)}, or a moment that migkit timestamp noted: those are exact.",
            )

    def require_reached(self) -> None:
        """Make sure that the log reached the position that was noted for the moment."""
        position, last = self._target.position, self._last
        if position is not None and (last is None or not reached(last.file, last.end, position)):
            end = last.position if last else "its beginning"
            # Nothing was written after the base, so that there is nothing to do again.
            if last is None:
                return
            raise MomentUnreachable(f"The binary log ends at {end}, before {position}")

    # --- doing it again -----------------------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Do again what an event says."""
        kind = event.kind
        if kind == events.PAYLOAD:
            for inner in events.unpacked(event):
                self.take(inner)
        elif kind == events.MARIADB_GTID:
            self._alone = events.stands_alone(event)
            if not self._alone:
                self._begin()
        elif kind == events.TABLE_MAP:
            self._map(event)
        elif kind in events.ROWS:
            self._rows(event)
        elif kind in (events.QUERY, 165):
            self._query(event)
        elif kind in _STATEMENT_EVENTS:
            self._given.append(events.last_insert(event))
        elif kind == events.XID:
            self._commit()
        elif kind in (events.USER_VAR, 164):
            raise UnsupportedFeature(
                "The binary log holds statements with variables, or is encrypted, which migkit cannot do again",
                next_step="Set binlog_format = ROW, then take a new base: migkit pitr enable --new-base.",
            )

    def _begin(self) -> None:
        self._in_transaction, self._touched = True, False

    def _open(self) -> None:
        """Begin a transaction when the first change comes that is ours."""
        self._require_certain()
        if self._in_transaction and not self._touched:
            self._tell_format()
            self._send("BEGIN")
        self._touched = True

    def _tell_format(self) -> None:
        """Tell the server how the events that come now are written; only between transactions."""
        if self._format is self._stream.format or self._stream.format is None:
            return
        self._format = self._stream.format
        self._binlog(self._format.sealed(checksum=True))
        # MySQL then expects to be told a name for each transaction; MariaDB does not know the word.
        self._try("SET SESSION gtid_next = 'AUTOMATIC'")

    def _commit(self, statement: str = "COMMIT") -> None:
        if self._touched:
            self._send(statement)
            self.transactions += 1
            self._progress.advance()
        self._in_transaction = self._touched = False
        self._ours.clear()

    def _map(self, event: Event) -> None:
        self._ours[event.table_id] = ours = events.database_of(event) == self._database
        if ours:
            self._maps.append(events.moved(event, self._staged))

    def _rows(self, event: Event) -> None:
        if self._ours.get(event.table_id):
            self._pending.append(event)
        if event.ends_statement or sum(len(one.data) for one in self._pending) > _BATCH_BYTES:
            self._flush()
        if event.ends_statement:
            self._maps.clear()

    def _flush(self) -> None:
        """Send rows as a statement of their own, with its tables before and an end behind.

        A server that is sent rows without either may crash (MySQL 9.7 does).
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        pending[-1] = pending[-1].as_last()
        self._open()
        checksum = self._stream.checksums
        self._binlog(b"".join(one.sealed(checksum=checksum) for one in (*self._maps, *pending)))

    def _binlog(self, data: bytes) -> None:
        self._send(f"BINLOG '{base64.b64encode(data).decode()}'")

    def _query(self, event: Event) -> None:
        query = events.read_query(event)
        text = self._text(query)
        given, self._given = self._given, []
        word = text.strip().upper()
        if word == "BEGIN":
            self._begin()
        elif word in ("COMMIT", "ROLLBACK"):
            self._commit(word)
        elif word.startswith(("SAVEPOINT", "ROLLBACK TO", "XA ", "RELEASE SAVEPOINT")):
            if word.startswith("XA "):
                raise self._cannot(event, text, "is part of a distributed transaction")
            if self._touched:
                self._send(text)
        elif self._concerns_us(event, query, text):
            self._statement(query, given, text)

    def _text(self, query: Query) -> str:
        if query.client is None:
            return query.sql.decode("utf-8")
        found = rows(
            self._connection,
            f"SELECT CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID = {query.client}",
        )
        return query.sql.decode(_CODECS.get(str(found[0][0]) if found else "utf8mb4", "utf-8"))

    def _concerns_us(self, event: Event, query: Query, text: str) -> bool:
        """Tell whether a statement changed the database; one that did so across databases cannot be done again."""
        names_us = (
            reach.reaches_beyond_database(text, {self._database}) and self._database.casefold() in text.casefold()
        )
        if query.database not in ("", self._database):
            if names_us and self._is_named(text):
                raise self._cannot(event, text, f"was run from the database {query.database}")
            return False
        if query.database == "" and not names_us:
            return False
        verb, kind = reach.definition(text)
        if kind in _ABOUT_THE_DATABASE:
            if verb == "DROP" and self._is_dropped(text):
                raise self._cannot(event, text, "drops the database")
            return verb == "ALTER"
        if kind == "EVENT":
            raise self._cannot(event, text, "is about an event, which would begin to work there")
        if reach.reaches_beyond_database(text, self._neighbours):
            if reach.reaches_beyond_database(text, ()):
                # Accounts and settings belong to the server.
                return False
            raise self._cannot(event, text, "names other databases, which may have changed since")
        return True

    def _is_named(self, text: str) -> bool:
        return reach.renamed(text, self._database, self._staged) != text or self._is_dropped(text)

    def _is_dropped(self, text: str) -> bool:
        folded = text.casefold().replace("`", "").replace(";", " ").split()
        return folded[:1] == ["drop"] and self._database.casefold() in folded[2:]

    def _cannot(self, event: Event, text: str, why: str) -> MomentUnreachable:
        short = " ".join(text.split())[:120]
        return MomentUnreachable(
            f"A statement before that moment {why}, so it cannot be done again beside: {short}",
            where=event.position,
            next_step=f"A moment before {_told(events.second_of(event))} can be returned to; "
            "for later ones, a new base was needed: migkit pitr enable --new-base.",
        )

    def _statement(self, query: Query, given: list[str], text: str) -> None:
        self._require_certain()
        if self._in_transaction:
            self._open()
        for assignment in [*query.settings, *given]:
            # A setting that this server no longer has, or that this user may not change, counts for little.
            if not self._try(f"SET SESSION {assignment}"):
                continue
        text = reach.renamed(text, self._database, self._staged)
        if text.upper().startswith(("ALTER DATABASE", "ALTER SCHEMA")):
            text = _altered(text, self._staged)
        self._send(text)
        if not self._in_transaction:
            self.transactions += 1
            self._progress.advance()

    def _try(self, sql: str) -> bool:
        try:
            execute(self._connection, sql)
        except DBAPIError:
            return False
        return True

    def _send(self, sql: str) -> None:
        try:
            execute(self._connection, sql)
        except DBAPIError as error:
            if is_permission_error(error):
                raise PermissionMissing(
                    f"This user may not do the log's changes again: {explain_error(error)}",
                    next_step="Give the right: GRANT BINLOG_ADMIN ON *.* TO … (MariaDB: GRANT BINLOG REPLAY).",
                ) from error
            place = self._last.position if self._last else "the log"
            raise RestoreFailed(
                f"A change cannot be done again: {explain_error(error)}",
                where=place,
                next_step="What was there before still serves.",
            ) from error

    def end(self) -> None:
        """Take back what was begun and is not in the log to its end."""
        if self._touched and self._in_transaction:
            self._send("ROLLBACK")


def _altered(text: str, staged: str) -> str:
    """Return an ALTER DATABASE for another database, whether or not it names the one it was for."""
    words = text.split(None, 2)
    rest = words[2] if len(words) > 2 else ""
    if not rest.upper().startswith(("CHARACTER", "COLLATE", "DEFAULT", "READ", "ENCRYPTION", "COMMENT")):
        rest = _after_name(rest)
    return f"ALTER DATABASE {quote(staged)} {rest}"


def _after_name(text: str) -> str:
    if not text.startswith("`"):
        return text.split(None, 1)[1] if len(text.split(None, 1)) > 1 else ""
    end = 1
    while end < len(text) and (text[end] != "`" or text[end : end + 2] == "``"):
        end += 2 if text[end : end + 2] == "``" else 1
    return text[end + 1 :].lstrip()


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


_CODECS = {"latin1": "cp1252", "utf8mb3": "utf-8", "utf8mb4": "utf-8", "binary": "utf-8", "ascii": "ascii"}
