"""What the tests of faults share: how a refusal looks, whether a database is as it was, waiting for an event."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from migkit.database import Database
from migkit.state.capture import capture
from migkit.state.comparison import compare

NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--")
PATIENCE_SECONDS = 60.0

# A statement that the server works on until somebody cancels it.
ENDLESS = {
    "postgresql": "SELECT pg_sleep(600)",
    "mysql": "SELECT sleep(600)",
    "mariadb": "SELECT sleep(600)",
    "sqlite": "INSERT INTO users WITH RECURSIVE n(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM n) SELECT x, 'x' FROM n",
}


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one sentence of a refusal."""
        assert self.code == 2, self.out + self.err
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith("✗")]
        assert len(lines) == 1, self.err
        return lines[0]

    @property
    def last_word(self) -> str:
        """The sentence that work broken off half-way ends with, after what was told of its steps."""
        assert self.code == 2, self.out + self.err
        assert "Traceback" not in self.err
        assert self.err.splitlines()[-1].startswith("✗"), self.err
        return self.err.splitlines()[-1]


Door = Callable[..., Told]


def address(db: Database, *, driver: str | None = None, **changes: str | None) -> str:
    """The URL of a database, with its password; `changes` replace parts of it."""
    url = db.engine.url.set(**({"drivername": driver} if driver else {}), **changes)  # type: ignore[arg-type]
    return url.render_as_string(hide_password=False)


def execute(db: Database, *statements: str) -> None:
    """Execute statements as they stand: ``%`` and ``:`` mean themselves."""
    with db.engine.connect().execution_options(no_parameters=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def scalar(db: Database, sql: str) -> object:
    with db.engine.connect() as connection:
        return connection.execute(sa.text(sql)).scalar()


@contextmanager
def untouched(db: Database) -> Iterator[None]:
    """Hold a database against itself before; migkit's own tables count too."""
    before, names, content = capture(db), _tables(db), _bytes(db)
    yield
    comparison = compare(before, capture(db))
    assert comparison.identical, str(comparison)
    assert _tables(db) == names
    assert _bytes(db) == content


def _tables(db: Database) -> list[str]:
    with db.engine.connect() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def _bytes(db: Database) -> str | None:
    if db.dialect.name != "sqlite":
        return None
    return hashlib.sha256(Path(str(db.engine.url.database)).read_bytes()).hexdigest()


def wait_for(event: Callable[[], object], what: str) -> None:
    """Wait until something has happened; patience only ends what would hang."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not event():
        assert time.monotonic() < deadline, f"it never happened: {what}"
        time.sleep(0.02)


def only_evidence(archive: Path) -> Path:
    """The one evidence folder of an archive."""
    [manifest] = archive.glob("*/evidence.json")
    return manifest.parent


def status(archive: Path) -> str:
    return str(json.loads((only_evidence(archive) / "evidence.json").read_text())["status"])


def sessions(db: Database) -> list[str]:
    """What other sessions on the database's server, or of migkit on any of its databases, do now."""
    if db.dialect.name == "sqlite":
        return []
    if db.dialect.name == "postgresql":
        query = "SELECT query FROM pg_stat_activity WHERE application_name = 'migkit' AND state = 'active'"
        return _others(db, f"{query} AND pid <> pg_backend_pid()")
    query = "SELECT info FROM information_schema.processlist WHERE info IS NOT NULL AND id <> connection_id()"
    return _others(db, query)


def _others(db: Database, query: str) -> list[str]:
    with db.engine.connect() as connection:
        return [str(row[0]) for row in connection.exec_driver_sql(query)]
