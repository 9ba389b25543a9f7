"""Point in time on MySQL and MariaDB: whatever the binary log holds is done again as it was, or refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migkit.database import Database, connect
from migkit.dialects.mysql import point_in_time as mysql_point_in_time
from migkit.dialects.mysql.sql import quote
from migkit.errors import MomentUnreachable, PermissionMissing, UnsupportedFeature
from migkit.recovery import pitr
from migkit.recovery.pitr_records import records_of
from migkit.recovery.pitr_recovery import recover_to
from migkit.state.capture import capture
from migkit.state.comparison import compare
from tests.faults.support import execute, scalar
from tests.recovery.test_pitr import TABLE, enabled, numbers, write

pytestmark = [
    pytest.mark.excused("sqlite", why="it keeps no log"),
    pytest.mark.excused("postgresql", why="it has a log of another kind"),
]
MakeDatabase = Callable[[str], Database]
# 40,000 rows of some 60 bytes are more than is sent at once.
MANY = (
    "INSERT INTO many (id, text) SELECT a.n * 200 + b.n, REPEAT(CHAR(65 + b.n % 26), 40) FROM digits a, digits b",
    "UPDATE many SET text = CONCAT(text, 'ü') WHERE id % 3 = 0",
    "DELETE FROM many WHERE id % 7 = 0",
)


def hostile(db: Database) -> list[str]:
    """Return statements with names and things that are easily done wrong."""
    own = quote(str(db.engine.url.database))
    return [
        f"ALTER DATABASE {own} COLLATE utf8mb4_bin",
        "CREATE TABLE digits (n integer PRIMARY KEY)",
        f"INSERT INTO digits VALUES {', '.join(f'({n})' for n in range(200))}",
        "CREATE TABLE many (id bigint PRIMARY KEY, text varchar(80))",
        *MANY,
        'CREATE TABLE `order"; drop table x;--` (`a%b:c` integer PRIMARY KEY, `ünï` text)'
        " COMMENT = '/*!*/;\nDROP TABLE many'",
        "INSERT INTO `order\"; drop table x;--` VALUES (1, '<script>'), (2, NULL)",
        f"CREATE TABLE {own}.`Mixed.Case` (id integer AUTO_INCREMENT PRIMARY KEY, data blob, at timestamp(6) NULL)",
        "INSERT INTO `Mixed.Case` (data, at) VALUES (0x00ff27, '2026-01-02 03:04:05.678901')",
        f"CREATE TABLE {own}.child (id integer PRIMARY KEY, parent integer,"
        " FOREIGN KEY (parent) REFERENCES `Mixed.Case` (id))",
        "INSERT INTO child VALUES (1, 1)",
        f"CREATE VIEW seen AS SELECT {own}.`Mixed.Case`.id FROM {own}.`Mixed.Case`",
        "CREATE TRIGGER follow AFTER INSERT ON many FOR EACH ROW INSERT INTO digits VALUES (NEW.id + 1000000)",
        "INSERT INTO many VALUES (9000001, 'by trigger')",
        "CREATE PROCEDURE doing() BEGIN INSERT INTO digits VALUES (777); END",
        "CALL doing()",
        "FLUSH BINARY LOGS",
        f"ALTER TABLE {own}.many ADD COLUMN more varchar(10) DEFAULT 'x', ALGORITHM=COPY",
        "SET SESSION foreign_key_checks = 0",
        f"DELETE FROM {own}.`Mixed.Case`",
        "CREATE TABLE made AS SELECT * FROM many WHERE id < 50",
        "RENAME TABLE made TO renamed",
        "TRUNCATE TABLE digits",
    ]


@pytest.mark.slow
def test_everything_in_the_log_is_done_again(db: Database, make_database: MakeDatabase, tmp_path: Path) -> None:
    beside = make_database(db.dialect.name)
    other = quote(str(beside.engine.url.database))
    execute(beside, "CREATE TABLE elsewhere (id integer)")
    with enabled(db, tmp_path):
        execute(db, *hostile(db))
        # What is about other databases is none of ours, also within one transaction.
        execute(beside, "CREATE TABLE many (id integer)", "INSERT INTO many VALUES (1)")
        execute(db, f"INSERT INTO {other}.elsewhere VALUES (1)", "INSERT INTO digits VALUES (5)")
        moment = pitr.timestamp(db, tmp_path)
        expected = capture(db)
        execute(db, "DROP TABLE many", "DELETE FROM digits")
        recover_to(db, moment.moment, tmp_path)
        found = capture(db)
    comparison = compare(expected, found)
    assert comparison.identical, comparison
    assert scalar(beside, "SELECT count(*) FROM elsewhere") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE TABLE taken LIKE {other}.elsewhere", "names other databases"),
        ("CREATE EVENT later ON SCHEDULE EVERY 1 HOUR DO DELETE FROM written", "is about an event"),
    ],
)
def test_what_cannot_be_done_again_is_refused(
    db: Database, make_database: MakeDatabase, tmp_path: Path, statement: str, why: str
) -> None:
    beside = make_database(db.dialect.name)
    execute(beside, "CREATE TABLE elsewhere (id integer)")
    execute(db, TABLE[db.dialect.name])
    with enabled(db, tmp_path):
        execute(db, statement.format(other=quote(str(beside.engine.url.database))))
        write(db, 1)
        moment = pitr.timestamp(db, tmp_path)
        write(db, 2)
        with pytest.raises(MomentUnreachable, match=why):
            recover_to(db, moment.moment, tmp_path)
        assert numbers(db) == [1, 2]
        assert not [
            name for name in db.dialect.list_scratch(db.engine.url) if name.startswith("migkit_scratch_restore")
        ]
        # A new base leads on.
        pitr.enable(db, tmp_path, new_base=True)
        later = pitr.timestamp(db, tmp_path)
        write(db, 3)
        recover_to(db, later.moment, tmp_path)
        assert numbers(db) == [1, 2]


@pytest.mark.slow
def test_a_log_that_the_server_has_thrown_away_is_a_gap(db: Database, tmp_path: Path) -> None:
    execute(db, TABLE[db.dialect.name])
    with enabled(db, tmp_path):
        write(db, 1)
        moment = pitr.timestamp(db, tmp_path)
        execute(db, "FLUSH BINARY LOGS")
        with db.engine.connect() as connection:
            last = str(connection.exec_driver_sql("SHOW BINARY LOGS").all()[-1][0])
            deadline = time.monotonic() + 60
            # MariaDB keeps a log until it has noted that nothing in it is open any more.
            while len(connection.exec_driver_sql("SHOW BINARY LOGS").all()) > 1 and time.monotonic() < deadline:
                connection.exec_driver_sql(f"PURGE BINARY LOGS TO '{last}'")
                time.sleep(0.05)
        status = pitr.status(db, tmp_path)
        assert not status.passed and "has thrown away" in repr(status)
        with pytest.raises(MomentUnreachable, match="has no binary log from"):
            recover_to(db, moment.moment, tmp_path)
        assert numbers(db) == [1]
        assert not pitr.timestamp(db, tmp_path).returnable
        assert "took" in pitr.enable(db, tmp_path).changed[-1]
        assert pitr.timestamp(db, tmp_path).returnable


def test_a_server_without_a_log_says_that_it_has_to_be_started_anew(
    mariadb: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_point_in_time, "setting", lambda connection, name: "0")
    with pytest.raises(UnsupportedFeature, match=r"log_bin is off.*start it anew"):
        pitr.enable(mariadb, tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_a_user_without_rights_is_told_which(mariadb: Database, tmp_path: Path) -> None:
    name = f"u{mariadb.name[2:14]}"
    execute(mariadb, f"CREATE USER {name}@'%' IDENTIFIED BY ''", f"GRANT ALL ON {quote(mariadb.name)}.* TO {name}@'%'")
    try:
        with connect(mariadb.engine.url.set(username=name)) as db:
            with pytest.raises(PermissionMissing, match="GRANT"):
                pitr.enable(db, tmp_path)
            assert not records_of(db, tmp_path).is_enabled
    finally:
        execute(mariadb, f"DROP USER {name}@'%'")


@pytest.mark.slow
def test_a_server_that_logs_statements_is_set_to_rows_and_back(mariadb: Database, tmp_path: Path) -> None:
    execute(mariadb, "SET GLOBAL binlog_format = 'MIXED'")
    try:
        mariadb.close()
        changed = pitr.enable(mariadb, tmp_path).changed
        assert "set binlog_format from MIXED to ROW, without a new start" in changed[0]
        assert scalar(mariadb, "SELECT @@global.binlog_format") == "ROW"
        assert "took" in changed[1] and pitr.enable(mariadb, tmp_path).changed == ()
        assert "set binlog_format back to MIXED" in pitr.disable(mariadb, tmp_path).changed
        assert scalar(mariadb, "SELECT @@global.binlog_format") == "MIXED"
    finally:
        execute(mariadb, "SET GLOBAL binlog_format = 'ROW'")
