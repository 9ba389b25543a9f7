from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError

from migkit.database import Database, connect
from migkit.dialects.mysql import session as sessions
from migkit.errors import ConnectionFailed
from migkit.state.capture import capture

Run = Callable[..., None]


def test_a_mysql_url_that_leads_to_mariadb_gets_mariadbs_dialect(make_database: Callable[[str], Database]) -> None:
    mariadb = make_database("mariadb")
    with connect(mariadb.engine.url.set(drivername="mysql+pymysql")) as db:
        assert (db.dialect.name, db.server.split()[0]) == ("mariadb", "MariaDB")


def test_mysql_stays_mysql(make_database: Callable[[str], Database]) -> None:
    assert make_database("mysql").dialect.name == "mysql"


def test_all_sessions_of_a_snapshot_see_one_instant(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY AUTO_INCREMENT)")
    stop = threading.Event()

    def write() -> None:
        with db.engine.connect() as connection:
            while not stop.is_set():
                connection.exec_driver_sql("INSERT INTO v () VALUES ()")
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            with db.dialect.snapshot(db.engine, 3) as workers:
                assert len(workers) == 3
                seen = {int(one.exec_driver_sql("SELECT COUNT(*) FROM v").scalar_one()) for one in workers}
                again = {int(one.exec_driver_sql("SELECT COUNT(*) FROM v").scalar_one()) for one in workers}
                assert len(seen) == 1 and seen == again
    finally:
        stop.set()
        writer.join()


def test_a_snapshot_cannot_write(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)")
    with (
        db.dialect.snapshot(db.engine, 1) as (session,),
        pytest.raises(DBAPIError, match="READ ONLY"),
    ):
        session.exec_driver_sql("INSERT INTO v VALUES (1)")


def test_without_the_global_lock_one_session_reads(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)", "INSERT INTO v VALUES (1)")
    name = f"u_{db.engine.url.database}"
    run(
        f"CREATE USER '{name}'@'%' IDENTIFIED BY 'a-password'",
        f"GRANT SELECT ON `{db.engine.url.database}`.* TO '{name}'@'%'",
    )
    try:
        with connect(db.engine.url.set(username=name, password="a-password")) as limited:
            with limited.dialect.snapshot(limited.engine, 2) as workers:
                assert len(workers) == 1
            assert capture(limited).total_rows == 1
    finally:
        run(f"DROP USER '{name}'@'%'")


def test_sessions_of_a_capture_do_not_come_back_to_the_pool(db: Database) -> None:
    with db.engine.connect() as connection:
        mode = connection.exec_driver_sql("SELECT @@sql_mode").scalar_one()
    with db.dialect.snapshot(db.engine, 2):
        pass
    for _ in range(3):
        with db.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT @@sql_mode").scalar_one() == mode != ""


def test_cancel_from_another_thread(db: Database) -> None:
    with db.engine.connect() as connection:
        cancel = db.dialect.canceller(connection)
        timer = threading.Timer(0.3, cancel)
        timer.start()
        began = time.monotonic()
        try:
            # MySQL ends the sleep and returns 1, MariaDB raises; both end it.
            connection.exec_driver_sql("SELECT SLEEP(30)").all()
        except DBAPIError as error:
            assert "interrupted" in db.dialect.explain_error(error)
        timer.join()
        assert time.monotonic() - began < 20
        connection.rollback()
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_the_lock_timeout_ends_waiting_for_a_table(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)")
    with db.engine.connect() as holder, db.engine.connect() as waiter:
        holder.exec_driver_sql("SELECT * FROM v").all()
        db.dialect.set_lock_timeout(waiter, 1)
        with pytest.raises(DBAPIError) as caught:
            waiter.exec_driver_sql("ALTER TABLE v ADD COLUMN a INT")
        assert db.dialect.explain_error(caught.value).endswith("error 1205)")


def test_the_version_is_read_from_any_suffix() -> None:
    assert sessions.version_numbers("10.11.6-MariaDB-0+deb12u1-log") == (10, 11, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": 1}, "No server answers"),
        ({"username": "nobody", "password": "wrong-password"}, "refused the password of nobody"),
        ({"database": "not_there"}, "There is no database not_there"),
    ],
)
def test_connecting_in_vain_is_one_clear_sentence(db: Database, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConnectionFailed, match=message) as caught:
        connect(db.engine.url.set(**change))
    assert "wrong-password" not in str(caught.value)


def test_a_failed_statement_is_explained_with_its_code(db: Database) -> None:
    with db.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.exec_driver_sql("SELECT * FROM missing")
    assert db.dialect.explain_error(caught.value).endswith("missing' doesn't exist (error 1146)")
