"""The database that deploys are injected into: what it is before and after, and whether it is one of both."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT

# Nobody but the writers touches it; what they were told is committed has to stay.
LEDGER = "ledger"

_GOOD = """
import sqlalchemy as sa
metadata = {"version": "1"}
def up(op):
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String(50)))
    op.add_column("users", sa.Column("nickname", sa.String(50)))
    op.execute("UPDATE users SET nickname = 'none'")
    op.create_index("users_nickname", "users", ["nickname"])
def down(op):
    op.drop_index("users_nickname", table_name="users")
    op.drop_column("users", "nickname")
    op.drop_table("notes")
"""
# It loses a row that nobody allowed it to lose, so that it is taken back: by a way down that restores it, or by backup.
_LOSING = """
import sqlalchemy as sa
metadata = {"version": "2"}
def up(op):
    op.create_table("parts", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("DELETE FROM users WHERE id = 3")
def down(op):
    op.execute("INSERT INTO users (id, email) VALUES (3, 'cy')")
    op.drop_table("parts")
"""
# On engines that commit at every DDL statement, half of it stands.
_FAILING = """
import sqlalchemy as sa
metadata = {"version": "3"}
def up(op):
    op.create_table("halves", sa.Column("id", sa.Integer, primary_key=True))
    if op.get_bind().exec_driver_sql("SELECT count(*) FROM users").scalar():
        op.execute("INSERT INTO nowhere VALUES (1)")
def down(op):
    op.drop_table("halves")
"""
_MIGRATIONS = {"good": _GOOD, "losing": _LOSING, "failing": _FAILING}
_SETUP = (
    "CREATE TABLE users (id integer PRIMARY KEY, email varchar(50))",
    "CREATE TABLE orders (id integer PRIMARY KEY, user_id integer, FOREIGN KEY (user_id) REFERENCES users (id))",
    f"CREATE TABLE {LEDGER} (id integer PRIMARY KEY)",
    "INSERT INTO users VALUES (1, 'ann'), (2, 'bob'), (3, 'cy')",
    "INSERT INTO orders VALUES (10, 1), (11, 2)",
)


@dataclass
class Subject:
    """A database with a few rows, and the migrations that are deployed to it."""

    engine: str
    url: URL
    folder: Path
    migrations: dict[str, Path] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    afters: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def make(cls, engine: str, url: URL, folder: Path) -> Subject:
        """Fill the database, and learn what it looks like before and after the good migration."""
        subject = cls(engine, url, folder)
        with subject.admin() as connection:
            for statement in _SETUP:
                connection.exec_driver_sql(statement)
        for name, source in _MIGRATIONS.items():
            subject.migrations[name] = folder / f"{name}.py"
            subject.migrations[name].write_text(textwrap.dedent(source))
        subject.before = subject.looks()
        mk.run(subject.migrations["good"], subject.target, progress=SILENT)
        subject.after = subject.looks()
        subject.reset()
        mk.run(subject.migrations["losing"], subject.target, progress=SILENT)
        subject.afters = {"good": subject.after, "losing": subject.looks()}
        subject.reset()
        return subject

    @property
    def target(self) -> str:
        """The URL as text, with its password."""
        return self.url.render_as_string(hide_password=False)

    def admin(self) -> Any:
        """Open a session of the administrator, in a transaction."""
        return sa.create_engine(self.url, poolclass=sa.pool.NullPool).begin()

    def writer(self) -> URL:
        """Return how writers reach it: by an account that read-only mode holds for."""
        if self.engine not in ("mysql", "mariadb"):
            return self.url
        with self.admin() as connection:
            connection.exec_driver_sql("CREATE USER IF NOT EXISTS writer@'%%' IDENTIFIED BY 'writing'")
            connection.exec_driver_sql(f"GRANT ALL ON {self.url.database}.* TO writer@'%%'")
        return self.url.set(username="writer", password="writing")

    def database(self) -> Database:
        """Reach the database as migkit does."""
        return mk.connect(self.url)

    def looks(self) -> dict[str, Any]:
        """Return schema and rows of everything but the ledger."""
        with self.admin() as connection:
            looked = sa.inspect(connection)
            names = [name for name in looked.get_table_names() if not name.startswith(("migration_log", LEDGER))]
            return {name: _table(connection, looked, name) for name in sorted(names)}

    def ledger(self) -> set[int]:
        """Return the rows of the writers."""
        with self.admin() as connection:
            return set(connection.exec_driver_sql(f"SELECT id FROM {LEDGER}").scalars())

    def reset(self) -> None:
        """Begin again: the tables as they were, with nothing in the ledger and nothing in the journal."""
        with self.admin() as connection:
            tables = sa.inspect(connection).get_table_names()
            for name in sorted(tables, key=lambda name: name == "users"):
                connection.exec_driver_sql(f"DROP TABLE {name}")
            for statement in _SETUP:
                connection.exec_driver_sql(statement)
        assert not self.before or self.looks() == self.before


def _table(connection: sa.Connection, looked: sa.Inspector, name: str) -> dict[str, Any]:
    columns = [(column["name"], str(column["type"]), column["nullable"]) for column in looked.get_columns(name)]
    indexes = sorted(str(index["name"]) for index in looked.get_indexes(name))
    keys = sorted(str(key["constrained_columns"]) for key in looked.get_foreign_keys(name))
    rows = sorted(tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}"))
    return {"columns": columns, "indexes": indexes, "keys": keys, "rows": [str(row) for row in rows]}
