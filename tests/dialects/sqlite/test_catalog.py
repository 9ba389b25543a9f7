"""The catalog: complete, exact where something changed, and blind to mere reformatting."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from migkit.dialects.sqlite.sqltext import normalize
from tests.dialects.sqlite.support import DIALECT, catalog, change, make, schema_facts

SCHEMA = """
PRAGMA user_version = 7;
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email VARCHAR(50) NOT NULL COLLATE NOCASE UNIQUE,
  age INT DEFAULT 18 CHECK (age >= 0), CONSTRAINT adult CHECK (age < 150));
INSERT INTO users (email) VALUES ('a'), ('b');
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INT REFERENCES users ON DELETE CASCADE,
  total NUMERIC(10,2) DEFAULT (1 + 2),
  twice AS (total * 2) STORED, note TEXT DEFAULT "no", -- the note
  CONSTRAINT to_parent FOREIGN KEY (id, note) REFERENCES "Missing Parent" (a, b) ON UPDATE SET NULL
    DEFERRABLE INITIALLY DEFERRED, UNIQUE (user_id, note) ON CONFLICT REPLACE);
CREATE TABLE pairs ("a b" INT, c TEXT, PRIMARY KEY ("a b", c DESC)) WITHOUT ROWID;
CREATE TABLE strictly (id INT PRIMARY KEY, v ANY) STRICT;
CREATE TABLE keyless (a, b);
CREATE TABLE by_unique (a INT NOT NULL, b INT NOT NULL, UNIQUE (b));
CREATE INDEX partly ON orders (total DESC, lower(note)) WHERE total > 0;
CREATE VIEW totals AS SELECT user_id, sum(total) AS t FROM orders GROUP BY 1;
CREATE TRIGGER stamp AFTER INSERT ON users BEGIN UPDATE users SET age = 1 WHERE id = new.id; END;
CREATE VIRTUAL TABLE docs USING fts5 (title);
"""


def test_everything_is_read(tmp_path: Path) -> None:
    found = catalog(make(tmp_path / "a.db", SCHEMA))
    tables = {row["table"]: row for row in found.tables}
    assert {name: (row["kind"], row["options"], row["key"]) for name, row in tables.items()} == {
        "users": ("table", None, ("id",)),
        "orders": ("table", None, ("id",)),
        "pairs": ("table", "WITHOUT ROWID", ("a b", "c")),
        "strictly": ("table", "STRICT", ("id",)),
        "keyless": ("table", None, ()),
        "by_unique": ("table", None, ("b",)),
        "docs": ("virtual", "USING fts5(title)", ()),
    }
    columns = {(row["table"], row["column"]): row for row in found.columns}
    assert columns["users", "id"]["identity"] == "auto_increment"
    assert columns["orders", "id"]["identity"] == "rowid"
    assert columns["strictly", "id"]["identity"] is None
    assert not columns["orders", "id"]["nullable"]
    assert columns["users", "email"]["collation"] == "NOCASE"
    assert columns["orders", "total"]["type"] == "NUMERIC(10, 2)"
    assert columns["orders", "total"]["default"] == "1 + 2"
    assert columns["orders", "twice"]["generated"] == "(total * 2) STORED"
    assert columns["totals", "t"]["position"] == 2
    constraints = {(row["table"], row["name"]): row for row in found.constraints}
    assert constraints["users", "check(age >= 0)"]["definition"] == "CHECK (age >= 0)"
    assert constraints["users", "adult"]["kind"] == "check"
    assert constraints["orders", "unique(user_id, note)"]["definition"].endswith("ON CONFLICT REPLACE")
    assert constraints["orders", "fk(user_id → users)"]["on_delete"] == "CASCADE"
    assert constraints["orders", "to_parent"]["definition"].endswith("DEFERRABLE INITIALLY DEFERRED")
    assert constraints["orders", "to_parent"]["on_update"] == "SET NULL"
    assert constraints["pairs", "pk(a b, c)"]["definition"] == 'PRIMARY KEY ("a b", c DESC)'
    assert [row["name"] for row in found.indexes] == ["partly"]
    assert found.indexes[0]["definition"] == "CREATE INDEX partly ON orders(total DESC, lower(note)) WHERE total > 0"
    objects = {(row["kind"], row["name"]): row for row in found.objects}
    assert objects["sequence", "users"]["value"] == "2"
    assert objects["pragma", "user_version"]["definition"] == "7"
    assert objects["trigger", "stamp on users"]["parent"] == "users"
    assert objects["view", "totals"]["definition"].startswith("CREATE VIEW totals AS SELECT user_id, sum(total) AS t")
    keys = {key.name: key for key in found.foreign_keys}
    assert keys["fk(user_id → users)"].referenced_columns == ("id",)
    assert keys["to_parent"].referenced_columns == ()


INJURIES = {
    "default": ("DEFAULT 18", "DEFAULT 19"),
    "default's case": ('DEFAULT "no"', 'DEFAULT "NO"'),
    "not null": ("VARCHAR(50) NOT NULL", "VARCHAR(50)"),
    "length": ("VARCHAR(50)", "VARCHAR(51)"),
    "collation": ("COLLATE NOCASE", "COLLATE RTRIM"),
    "unique": ("NOCASE UNIQUE", "NOCASE"),
    "check": ("age >= 0", "age > 0"),
    "check's name": ("CONSTRAINT adult", "CONSTRAINT adults"),
    "check dropped": (", CONSTRAINT adult CHECK (age < 150)", ""),
    "autoincrement": ("KEY AUTOINCREMENT", "KEY"),
    "on delete": ("ON DELETE CASCADE", "ON DELETE SET NULL"),
    "on update": ("ON UPDATE SET NULL", ""),
    "deferral": ("INITIALLY DEFERRED", "INITIALLY IMMEDIATE"),
    "conflict": ("ON CONFLICT REPLACE", "ON CONFLICT IGNORE"),
    "foreign key": ("REFERENCES users ON DELETE CASCADE", ""),
    "generated": ("total * 2", "total * 3"),
    "stored": ("(total * 2) STORED", "(total * 2) VIRTUAL"),
    "key's order": ("c DESC", "c"),
    "without rowid": (") WITHOUT ROWID", ")"),
    "strict": (") STRICT", ")"),
    "partial": ("WHERE total > 0", "WHERE total > 1"),
    "index's order": ("total DESC", "total"),
    "index's expression": ("lower(note)", "upper(note)"),
    "unique index": ("CREATE INDEX", "CREATE UNIQUE INDEX"),
    "view": ("sum(total)", "max(total)"),
    "trigger": ("age = 1", "age = 2"),
    "trigger's time": ("AFTER INSERT", "BEFORE INSERT"),
    "user_version": ("user_version = 7", "user_version = 8"),
    "sequence": ("('a'), ('b')", "('a')"),
    "full text": ("fts5 (title)", "fts5 (title, tokenize = 'porter')"),
    "column order": ("keyless (a, b)", "keyless (b, a)"),
    "column": ("keyless (a, b)", "keyless (a)"),
    "type": ("a INT NOT NULL", "a BIGINT NOT NULL"),
}


@pytest.mark.parametrize("injury", INJURIES)
def test_every_injury_shows(tmp_path: Path, injury: str) -> None:
    old, new = INJURIES[injury]
    assert SCHEMA.count(old) == 1
    before = schema_facts(make(tmp_path / "a.db", SCHEMA))
    after = schema_facts(make(tmp_path / "b.db", SCHEMA.replace(old, new)))
    assert before != after


@pytest.mark.parametrize(
    "script",
    [
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "PRAGMA optimize",
        "INSERT INTO docs (docs) VALUES ('optimize')",
        "ALTER TABLE users RENAME TO u2; ALTER TABLE u2 RENAME TO users",
        "ALTER TABLE orders RENAME COLUMN total TO x; ALTER TABLE orders RENAME COLUMN x TO total",
        "ALTER TABLE keyless ADD COLUMN z; ALTER TABLE keyless DROP COLUMN z",
        'DROP INDEX partly; create index if not exists [partly]\non `orders`("total" desc, lower( note )) '
        "where total>0 -- x",
        "DROP VIEW totals; CREATE VIEW IF NOT EXISTS totals AS /* the sum */ SELECT user_id, "
        "sum(total) AS t FROM orders GROUP BY 1",
        "BEGIN; UPDATE users SET age = 3; ROLLBACK",
    ],
)
def test_harmless_work_reads_identical(tmp_path: Path, script: str) -> None:
    url = make(tmp_path / "a.db", SCHEMA)
    before = schema_facts(url)
    change(url, script)
    assert schema_facts(url) == before


def test_a_rebuild_by_alembic_reads_identical(tmp_path: Path) -> None:
    engine = DIALECT.create_engine(make(tmp_path / "a.db"))
    meta = sa.MetaData()
    sa.Table("Parents", meta, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "children",
        meta,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey("Parents.id", ondelete="CASCADE"), index=True),
        sa.Column("name", sa.String(20), nullable=False, server_default="x"),
        sa.Column("price", sa.Numeric(10, 2)),
        sa.UniqueConstraint("name", "price", name="uq"),
    )
    meta.create_all(engine)
    before = schema_facts(engine.url)
    with engine.begin() as session:
        context = MigrationContext.configure(session)
        with Operations(context).batch_alter_table("children", recreate="always"):
            pass
    assert schema_facts(engine.url) == before


def test_the_number_of_queries_does_not_grow_with_tables(tmp_path: Path) -> None:
    def queries(tables: int) -> int:
        table = "CREATE TABLE t{} (id INTEGER PRIMARY KEY, r REFERENCES t0, UNIQUE (r));"
        script = "".join(table.format(number) for number in range(tables))
        engine = DIALECT.create_engine(make(tmp_path / f"{tables}.db", script + "CREATE VIEW v AS SELECT * FROM t0"))
        seen: list[str] = []
        with DIALECT.snapshot(engine, 1) as (session,):
            driver = session.connection.driver_connection
            assert driver is not None
            driver.set_trace_callback(lambda sql: None if sql.startswith(("--", "PRAGMA")) else seen.append(sql))
            assert len(DIALECT.read_catalog(session, None).tables) == tables
            driver.set_trace_callback(None)
        return len(seen)

    assert queries(2) == queries(200)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    url = make(
        tmp_path / "a.db",
        "CREATE TABLE gone (a); CREATE VIEW v AS SELECT a FROM gone; DROP TABLE gone;"
        "CREATE TABLE p (a); CREATE TABLE c (x REFERENCES p); PRAGMA writable_schema = ON;"
        "INSERT INTO sqlite_schema VALUES ('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING nosuch(a)');",
    )
    found = catalog(url)
    whys = {row["what"]: row["why"] for row in found.unchecked}
    assert "no such module" in whys["columns and rows of virtual table m"]
    assert "no such table" in whys["columns of view v"]
    assert "mismatch" in whys["orphans of fk(x → p) on c"]
    assert {row["name"] for row in found.objects if row["kind"] in ("view", "virtual table")} == {"v", "m"}


def test_other_schemas_are_empty(tmp_path: Path) -> None:
    with DIALECT.snapshot(DIALECT.create_engine(make(tmp_path / "a.db", SCHEMA)), 1) as (session,):
        assert DIALECT.read_catalog(session, ["other"]).tables == []
        assert DIALECT.read_catalog(session, ["main"]).tables != []


@pytest.mark.parametrize(
    ("child", "parent", "rows", "orphans"),
    [
        ("r INT REFERENCES p", "id INTEGER PRIMARY KEY", "(1), (NULL), (9), (9)", 2),
        ("r TEXT REFERENCES p (id)", "id TEXT COLLATE NOCASE UNIQUE", "('A'), ('1'), ('b')", 1),
        ("r INT REFERENCES p (id)", "id TEXT UNIQUE", "(1), (2)", 1),
        ("r REFERENCES nowhere", "id INTEGER PRIMARY KEY", "(1), (NULL)", 1),
    ],
)
def test_orphans_are_counted_as_sqlite_would(tmp_path: Path, child: str, parent: str, rows: str, orphans: int) -> None:
    url = make(
        tmp_path / "a.db",
        f"CREATE TABLE p ({parent}); CREATE TABLE c ({child}); INSERT INTO p VALUES (1);"
        f"INSERT OR IGNORE INTO p SELECT 'a' WHERE typeof((SELECT id FROM p)) = 'text';"
        f"INSERT INTO c VALUES {rows};",
    )
    with DIALECT.snapshot(DIALECT.create_engine(url), 1) as (session,):
        (key,) = DIALECT.read_catalog(session, None).foreign_keys
        assert DIALECT.count_orphans(session, key) == orphans


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  =\n'x  y'", "a = 'x  y'"),
        ("[a b]>=`c`", '"a b" >= c'),
        ("not null", "NOT NULL"),
        ("a/*c*/+--d\n1", "a + 1"),
    ],
)
def test_reformatting_has_one_normal_form(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("'a  b'", "'a b'"), ("'A'", "'a'"), ('"A"', '"a"'), ("a - -1", "a --1"), ("x'00'", "'00'"), ('"null"', "null")],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)
