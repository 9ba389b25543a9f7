"""A session that is ended from outside, a table that vanishes: a clear error, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from migkit import verbs
from migkit.database import Database
from migkit.errors import CaptureFailed, MigkitError
from migkit.migration.journal import history
from migkit.progress import SILENT
from tests.faults.support import execute, scalar, sessions, wait_for

MakeDatabase = Callable[[str], Database]

END_OTHERS = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migkit'"
    " AND datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}


def _end_sessions(db: Database) -> None:
    """End every other session on the database, from one of our own."""
    engine = db.dialect.create_engine(db.engine.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        query = END_OTHERS.get(db.dialect.name, END_OTHERS["mysql"])
        numbers = connection.exec_driver_sql(query).scalars().all()
        for number in numbers if db.dialect.name != "postgresql" else []:
            connection.exec_driver_sql(f"KILL {int(number)}")


class At:
    """A renderer that does something when a stage begins, once."""

    def __init__(self, label: str, act: Callable[[], None]) -> None:
        self.label = label
        self.act: Callable[[], None] | None = act

    def begin(self, label: str, total: int | None = None) -> None:
        if self.act is not None and label.startswith(self.label):
            act, self.act = self.act, None
            act()

    def advance(self, amount: int = 1) -> None: ...

    def note(self, sign: str, text: str) -> None: ...

    def close(self) -> None: ...


WHY = "it has no sessions that somebody could end"


@pytest.mark.excused("sqlite", why=WHY)
def test_while_capturing(shop: Database) -> None:
    progress = At("Reading rows", lambda: _end_sessions(shop))
    with pytest.raises(CaptureFailed) as failed:
        verbs.capture(shop, progress=progress)
    assert progress.act is None, "the stage never began"
    assert "capture again" in str(failed.value)
    assert len(str(failed.value).splitlines()) == 1
    assert sessions(shop) == []
    shop.engine.dispose()
    assert verbs.capture(shop, progress=SILENT).total_rows == 5


@pytest.fixture
def after_snapshot(monkeypatch: pytest.MonkeyPatch, pg_shop: Database) -> Callable[[str], None]:
    """Have another session do something when the snapshot is taken and the catalog not read yet."""

    def arrange(sql: str) -> None:
        kind = type(pg_shop.dialect)
        read = kind.read_catalog

        def act_and_read(self: Any, connection: Any, schemas: Any) -> Any:
            execute(pg_shop, sql)
            return read(self, connection, schemas)

        monkeypatch.setattr(kind, "read_catalog", act_and_read)

    return arrange


def test_a_table_dropped_while_capturing(pg_shop: Database, after_snapshot: Callable[[str], None]) -> None:
    after_snapshot("DROP TABLE orders")
    with pytest.raises(CaptureFailed) as failed:
        verbs.capture(pg_shop, progress=SILENT)
    # The server no longer knows the table's name, only numbers of what belonged to it.
    assert "Capture again" in str(failed.value)
    assert len(str(failed.value).splitlines()) == 1
    assert sessions(pg_shop) == []


def test_a_column_renamed_while_capturing(pg_shop: Database, after_snapshot: Callable[[str], None]) -> None:
    after_snapshot("ALTER TABLE orders RENAME COLUMN user_id TO owner_id")
    with pytest.raises(CaptureFailed) as failed:
        verbs.capture(pg_shop, progress=SILENT)
    assert "user_id" in str(failed.value)


def test_a_table_rewritten_while_capturing(pg_shop: Database, after_snapshot: Callable[[str], None]) -> None:
    """To an older snapshot a rewritten table is empty, without an error; that must not read as rows lost."""
    after_snapshot("ALTER TABLE orders ADD COLUMN added timestamptz DEFAULT clock_timestamp()")
    try:
        state = verbs.capture(pg_shop, progress=SILENT)
    except CaptureFailed as failed:
        assert "orders" in str(failed)
    else:
        rows = dict(zip(state.tables["table"], state.tables["rows"], strict=True))
        assert rows["orders"] == 2


def test_what_is_being_captured_cannot_be_dropped(pg_shop: Database) -> None:
    """Once the catalog is read, the capture's own locks keep the tables as they are."""
    told: list[str] = []

    def drop() -> None:
        try:
            execute(pg_shop, "SET LOCAL lock_timeout = '100ms'", "DROP TABLE orders")
        except sa.exc.DBAPIError as error:
            told.append(str(error.orig))

    state = verbs.capture(pg_shop, progress=At("Reading rows", drop))
    assert "lock timeout" in told[0]
    assert state.total_rows == 5


@pytest.mark.excused("sqlite", why=WHY)
def test_while_running(shop: Database, folder: Path) -> None:
    (folder / "x.py").write_text(
        "def up(op):\n    op.execute(\"UPDATE users SET email = 'x'\")\n    HOOK()\n    op.execute('SELECT 1')\n"
    )
    before = verbs.capture(shop, progress=SILENT)
    text = (folder / "x.py").read_text()
    (folder / "x.py").write_text(
        f"from tests.faults.test_lost_connections import HOOKS\n{text}".replace("HOOK()", "HOOKS[0]()")
    )
    HOOKS[:] = [lambda: _end_sessions(shop)]
    result = verbs.run("x.py", shop, progress=SILENT)
    shop.engine.dispose()
    assert not result.succeeded
    assert len(str(result.error).splitlines()) == 1
    wait_for(lambda: sessions(shop) == [], "all sessions are gone")
    assert verbs.compare(before, verbs.capture(shop, progress=SILENT)).identical
    assert list(history(shop)["outcome"]) in (["running"], ["failed"])
    assert verbs.run("add.py", shop, progress=SILENT).succeeded


HOOKS: list[Callable[[], None]] = []


def test_while_cloning(pg_shop: Database) -> None:
    """pg_dump waits for a lock when its session is ended."""
    dialect, home = pg_shop.dialect, pg_shop.engine.url
    before = dialect.list_scratch(home)
    progress = At("Reading the database", lambda: _doom(pg_shop))
    with pytest.raises(MigkitError) as failed:
        verbs.clone(pg_shop, into=pg_shop, progress=progress)
    HOOKS[0]()
    assert "pg_dump" in str(failed.value)
    assert len(str(failed.value).splitlines()) == 1
    assert dialect.list_scratch(home) == before
    assert sessions(pg_shop) == []


def _doom(db: Database) -> None:
    """Lock a table, and end whoever comes to wait for it."""
    engine = db.dialect.create_engine(db.engine.url, poolclass=sa.NullPool)
    holder = engine.connect()
    holder.exec_driver_sql("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    waiting = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    thread = threading.Thread(target=lambda: wait_for(lambda: scalar(db, waiting), "pg_dump waits"))
    thread.start()

    def release() -> None:
        thread.join()
        holder.close()

    HOOKS[:] = [release]


def test_a_server_that_stops_while_capturing(servers: object, make_database: MakeDatabase) -> None:
    """A server of this test's own: killed when the rows are about to be read, and again when nobody expects it."""
    db = make_database("postgresql16")
    execute(db, "CREATE TABLE users (id integer PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    progress = At("Reading rows", lambda: servers.forget("postgresql16"))  # type: ignore[attr-defined]
    with pytest.raises(CaptureFailed) as failed:
        verbs.capture(db, progress=progress)
    assert len(str(failed.value).splitlines()) == 1
    with pytest.raises(MigkitError):
        verbs.capture(db.engine.url, progress=SILENT)
