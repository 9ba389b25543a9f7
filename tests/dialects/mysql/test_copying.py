from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from migkit.clone.scratch import clone
from migkit.database import Database
from migkit.dialects.mysql import scratch
from migkit.errors import ConfigError, PermissionMissing
from migkit.ownership import SCRATCH_PREFIX
from migkit.state.capture import capture
from migkit.state.comparison import compare
from tests.dialects.mysql.conftest import HOSTILE
from tests.dialects.mysql.test_catalog import OBJECTS
from tests.dialects.mysql.test_content import PAIRS, TYPES

Run = Callable[..., None]


@pytest.fixture
def copied(db: Database) -> Iterator[Callable[[], Database]]:
    """Clone the database; the clones are dropped afterwards."""
    made: list[Database] = []

    def copy() -> Database:
        made.append(clone(db))
        return made[-1]

    yield copy
    for one in made:
        one.drop()


def test_a_copy_is_identical_with_everything_in_it(db: Database, run: Run, copied: Callable[[], Database]) -> None:
    run(*OBJECTS, "SET foreign_key_checks = 0", "DELETE FROM parents WHERE id = 101")
    before = capture(db)
    comparison = compare(before, capture(copied()))
    assert comparison.identical, str(comparison)
    assert compare(before, capture(db)).identical


def test_every_value_survives(db: Database, run: Run, copied: Callable[[], Database]) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    values = [*PAIRS, ("dbl", "'-0'", ""), ("flt", "1e0/3", ""), ("dbl", "1e0/3", ""), ("ubig", "0", "")]
    run(f"CREATE TABLE v (id INT PRIMARY KEY AUTO_INCREMENT, {columns}) CHARACTER SET utf8mb4")
    run(*(f"INSERT INTO v ({column}) VALUES ({one})" for column, one, _ in values), mode="")
    run("INSERT INTO v (id, big) VALUES (0, 1)", mode="NO_AUTO_VALUE_ON_ZERO")
    assert compare(capture(db), capture(copied())).identical


def test_a_table_whose_engine_knows_no_transactions(db: Database, run: Run, copied: Callable[[], Database]) -> None:
    run(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "CREATE TABLE u (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO u VALUES (1)",
        "CREATE TABLE v (id INT PRIMARY KEY AUTO_INCREMENT, body VARCHAR(1000)) ENGINE = MyISAM",
        "INSERT INTO v (body) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
        " SELECT REPEAT('x', 1000) FROM n AS a, n AS b",
    )
    with copied().engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM v").scalar() == 2500


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(db: Database, run: Run, copied: Callable[[], Database], name: str) -> None:
    q = db.dialect.quote(name)
    run(
        f"CREATE TABLE {q} ({q} INT PRIMARY KEY, b VARCHAR(20))",
        f"INSERT INTO {q} VALUES (1, '`; drop table x')",
        f"CREATE VIEW w AS SELECT {q} FROM {q}",
        f"CREATE PROCEDURE {q} () SELECT 1",
    )
    assert compare(capture(db), capture(copied())).identical


def test_objects_that_name_their_database_read_the_copy_instead(
    db: Database, run: Run, copied: Callable[[], Database]
) -> None:
    own = str(db.engine.url.database)
    run(
        "CREATE TABLE v (id INT PRIMARY KEY)",
        "CREATE TABLE log (said VARCHAR(50))",
        f"CREATE VIEW w AS SELECT v.id, '{own}.v' AS said FROM {own}.v",
        f"CREATE TRIGGER t AFTER INSERT ON v FOR EACH ROW INSERT INTO {own}.log VALUES ('{own}.log')",
        f"CREATE PROCEDURE fill () INSERT INTO `{own}`.`v` VALUES (5)",
    )
    copy = copied()
    with copy.engine.connect() as connection:
        connection.exec_driver_sql("CALL fill()")
        connection.commit()
        assert connection.exec_driver_sql("SELECT said FROM log").scalars().all() == [f"{own}.log"]
        assert connection.exec_driver_sql("SELECT id FROM w").scalars().all() == [5]
    assert capture(db).total_rows == 0


def test_a_schema_only_copy_has_no_rows(db: Database, run: Run) -> None:
    run(*OBJECTS)
    with clone(db, schema_only=True) as copy:
        state = capture(copy)
    assert state.total_rows == 0
    assert {"parents", "children", "parted"} == set(state.tables["table"])
    assert capture(db).total_rows == 8


def test_the_copy_is_one_instant(db: Database, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is written after the snapshot, before its table is read, is not in the copy."""
    from migkit.dialects.mysql import copying

    run("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
    real = copying.copy_rows

    def copy_and_write(source: object, target: object, table: str, columns: object) -> None:
        run(f"INSERT INTO b VALUES ({len(table) + ord(table)})")
        real(source, target, table, columns)  # type: ignore[arg-type]

    monkeypatch.setattr(copying, "copy_rows", copy_and_write)
    with clone(db) as copy:
        assert capture(copy).total_rows == 1
    assert capture(db).total_rows == 3


def test_memory_stays_bounded(db: Database, run: Run) -> None:
    run(
        "CREATE TABLE v (id INT PRIMARY KEY AUTO_INCREMENT, body VARCHAR(1000))",
        "INSERT INTO v (body) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
        "SELECT REPEAT('x', 1000) FROM n AS a, n AS b",
    )
    tracemalloc.start()
    try:
        with clone(db):
            _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 30_000_000


def test_scratch_databases_are_listed_and_take_over_the_character_set(db: Database, run: Run) -> None:
    run("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin")
    with clone(db) as copy:
        assert copy.engine.url.database in db.dialect.list_scratch(db.engine.url)
        with copy.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT @@collation_database").scalar_one() == "latin1_bin"
    assert copy.engine.url.database not in db.dialect.list_scratch(db.engine.url)


def test_nothing_but_scratch_databases_is_dropped(db: Database) -> None:
    with pytest.raises(ConfigError, match="is not dropped"):
        scratch.drop_scratch(db.engine.url)


def test_a_scratch_database_is_dropped_while_somebody_uses_it(db: Database) -> None:
    url = db.dialect.create_scratch(db.engine.url, SCRATCH_PREFIX + "test_in_use")
    engine = db.dialect.create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE v (id INT)")
        connection.exec_driver_sql("INSERT INTO v VALUES (1)")
        db.dialect.drop_scratch(url)
        connection.invalidate()
    engine.dispose()
    assert SCRATCH_PREFIX + "test_in_use" not in db.dialect.list_scratch(db.engine.url)


def test_without_the_right_to_create_databases_the_error_says_so(db: Database, run: Run) -> None:
    name = f"u_{db.engine.url.database}"
    run(
        f"CREATE USER '{name}'@'%' IDENTIFIED BY 'a-password'",
        f"GRANT SELECT ON `{db.engine.url.database}`.* TO '{name}'@'%'",
    )
    try:
        with pytest.raises(PermissionMissing, match="may not create a scratch database") as caught:
            db.dialect.create_scratch(db.engine.url.set(username=name, password="a-password"), SCRATCH_PREFIX + "x")
        assert "a-password" not in str(caught.value)
    finally:
        run(f"DROP USER '{name}'@'%'")


def test_events_sleep_in_a_copy_where_the_server_runs_events(db: Database, run: Run) -> None:
    with db.engine.connect() as connection:
        before = connection.exec_driver_sql("SELECT @@global.event_scheduler").scalar_one()
    run("CREATE TABLE v (id INT)", "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO INSERT INTO v VALUES (1)")
    run("SET GLOBAL event_scheduler = ON")
    try:
        with clone(db) as copy:
            objects = capture(copy).objects
    finally:
        run(f"SET GLOBAL event_scheduler = {before}")
    assert "DISABLED" in objects[objects["kind"] == "event"]["definition"].iloc[0]
