"""Whoever cannot get in, or may not, is told so in one sentence; the database stays as it was."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from migkit import verbs
from migkit.database import Database
from migkit.errors import ConnectionFailed, PermissionMissing
from migkit.progress import SILENT
from tests.faults.conftest import PASSWORD
from tests.faults.support import Door, Told, address, execute, untouched
from tests.servers.registry import unique_name

Start = Callable[..., subprocess.Popen[str]]
MakeDatabase = Callable[[str], Database]

NETWORKED = ("postgresql", "mysql", "mariadb")
DRIVERS = {"postgresql": "postgresql", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}


def test_a_wrong_password_on_postgresql(migkit: Door, pg_shop: Database, guarded: str) -> None:
    told = migkit("run", "add.py", "-d", address(pg_shop, username=guarded, password="wrong-one"))
    assert f"The server refused the password of {guarded}" in told.complaint
    assert "wrong-one" not in told.err + told.out
    assert migkit("snapshot", "one", "-d", address(pg_shop, username=guarded, password=PASSWORD)).code == 0


@pytest.fixture(params=["mysql", "mariadb"])
def account(request: pytest.FixtureRequest, make_database: MakeDatabase) -> tuple[Database, str]:
    """An account with a password and the right to read, on MySQL and MariaDB."""
    db, user = make_database(request.param), unique_name()
    execute(
        db,
        f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT ON `{db.engine.url.database}`.* TO {user}@'127.0.0.1'",
        "CREATE TABLE users (id integer PRIMARY KEY)",
    )
    request.addfinalizer(lambda: execute(db, f"DROP USER {user}@'127.0.0.1'"))
    return db, user


def test_a_wrong_password_on_mysql(migkit: Door, account: tuple[Database, str]) -> None:
    db, user = account
    told = migkit("run", "add.py", "-d", address(db, username=user, password="wrong-one"))
    assert f"The server refused the password of {user}" in told.complaint
    assert "wrong-one" not in told.err + told.out


@pytest.mark.parametrize("engine", NETWORKED)
def test_a_server_that_does_not_answer(migkit: Door, engine: str) -> None:
    told = migkit("snapshot", "one", "-d", f"{DRIVERS[engine]}://u:hunter2@127.0.0.1:1/shop")
    assert "127.0.0.1:1/shop: No " in told.complaint
    assert "answers" in told.complaint
    assert "hunter2" not in told.err


@pytest.mark.parametrize("engine", NETWORKED)
def test_a_host_nobody_knows(migkit: Door, engine: str) -> None:
    told = migkit("snapshot", "one", "-d", f"{DRIVERS[engine]}://u:hunter2@no-such-host.invalid/shop")
    assert "no-such-host.invalid" in told.complaint
    assert "hunter2" not in told.err


@pytest.mark.parametrize("engine", NETWORKED)
def test_a_database_that_does_not_exist(migkit: Door, make_database: MakeDatabase, engine: str) -> None:
    db = make_database(engine)
    assert "There is no database nowhere" in migkit("run", "add.py", "-d", address(db, database="nowhere")).complaint


def test_a_role_that_may_not_create_databases(migkit: Door, pg_shop: Database, guarded: str) -> None:
    execute(pg_shop, f"GRANT pg_read_all_data TO {guarded}")
    url = address(pg_shop, username=guarded, password=PASSWORD)
    with untouched(pg_shop):
        told = migkit("rehearse", "add.py", "-d", url, "--into", url)
        assert f"{guarded} may not create databases on this server" in told.complaint
        assert "into=" in told.complaint
        with pytest.raises(PermissionMissing):
            verbs.clone(url, into=url, progress=SILENT)


@pytest.mark.slow
def test_an_account_that_may_not_create_databases(migkit: Door, account: tuple[Database, str]) -> None:
    db, user = account
    url = address(db, username=user, password=PASSWORD)
    with untouched(db):
        told = migkit("rehearse", "add.py", "-d", url)
        assert f"{user} may not create a scratch database" in told.complaint
        with pytest.raises(PermissionMissing):
            verbs.clone(url, progress=SILENT)


def test_a_role_that_may_not_create_the_journal(migkit: Door, pg_shop: Database, guarded: str) -> None:
    execute(pg_shop, f"GRANT pg_read_all_data TO {guarded}")
    with untouched(pg_shop):
        told = migkit("run", "add.py", "-d", address(pg_shop, username=guarded, password=PASSWORD))
        assert "The journal (migration_log) could not be written" in told.complaint


def test_a_table_that_may_not_be_read(migkit: Door, pg_shop: Database, guarded: str) -> None:
    execute(pg_shop, f"GRANT SELECT ON users TO {guarded}")
    url = address(pg_shop, username=guarded, password=PASSWORD)
    state = verbs.capture(url, progress=SILENT)
    unread = state.unchecked[state.unchecked["what"].str.contains("orders")]
    assert len(unread), state.unchecked
    assert "permission denied for table orders" in " ".join(unread["why"])
    rows = dict(zip(state.tables["table"], state.tables["rows"], strict=True))
    assert rows["users"] == 3
    assert str(rows["orders"]) == "<NA>"
    comparison = verbs.compare(state, state)
    assert "orders" in " ".join(comparison.unchecked["what"])
    assert not comparison.identical
    assert "orders" in str(comparison)


def test_a_clone_of_a_table_that_may_not_be_read(migkit: Door, pg_shop: Database, guarded: str) -> None:
    execute(pg_shop, f"GRANT SELECT ON users TO {guarded}")
    with untouched(pg_shop):
        told = migkit("test", "add.py", "-d", address(pg_shop, username=guarded, password=PASSWORD))
        assert "permission denied for table orders" in told.complaint


def test_a_mysql_table_that_may_not_be_read(account: tuple[Database, str]) -> None:
    """MySQL does not even show such a table; that it is not looked at has to be said all the same."""
    db, user = account
    execute(
        db,
        "CREATE TABLE hidden (id integer PRIMARY KEY)",
        f"REVOKE SELECT ON `{db.engine.url.database}`.* FROM {user}@'127.0.0.1'",
        f"GRANT SELECT ON `{db.engine.url.database}`.users TO {user}@'127.0.0.1'",
    )
    state = verbs.capture(address(db, username=user, password=PASSWORD), progress=SILENT)
    assert list(state.tables["table"]) == ["users"]
    assert len(state.unchecked), "nothing says that other tables may be hidden"


# --- files ------------------------------------------------------------------------------------------------------------


def _told(process: subprocess.Popen[str]) -> Told:
    out, err = process.communicate(timeout=120)
    return Told(process.returncode, out, err)


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (id integer PRIMARY KEY)")
        connection.execute("INSERT INTO users VALUES (1), (2)")
    connection.close()
    return path


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_that_may_not_be_written(file: Path, start: Start, as_nobody: tuple[str, ...], what: str) -> None:
    inner = file.parent / "inner"
    inner.mkdir()
    file = file.rename(inner / file.name)
    if what == "file":
        inner.chmod(0o777)
        file.chmod(0o444)
    else:
        inner.chmod(0o755)
        file.chmod(0o666)
    before = file.read_bytes()
    ran = _told(start("run", "add.py", "-d", f"sqlite:///{file}", prefix=as_nobody))
    assert "cannot be written" in ran.complaint
    assert file.read_bytes() == before
    assert [path.name for path in inner.iterdir()] == [file.name]


def test_a_file_that_may_not_be_read(file: Path, start: Start, as_nobody: tuple[str, ...]) -> None:
    file.chmod(0o600)
    told = _told(start("snapshot", "/dev/null/x.json", "-d", f"sqlite:///{file}", prefix=as_nobody))
    assert "cannot be read with the rights of this user" in told.complaint


def test_a_read_only_file_is_still_captured(migkit: Door, file: Path) -> None:
    file.chmod(0o444)
    assert migkit("snapshot", "one", "-d", f"sqlite:///{file}").code == 0


@pytest.mark.parametrize("command", ["snapshot", "run", "test", "rehearse"])
def test_a_file_that_is_no_database(migkit: Door, folder: Path, command: str) -> None:
    path = folder / "notes.txt"
    path.write_text("Dear diary, " * 1000)
    told = migkit(command, "add.py", "-d", f"sqlite:///{path}")
    assert "The file is no SQLite database" in told.complaint
    assert path.read_text() == "Dear diary, " * 1000
    assert not (folder / "reports").exists()


def test_a_damaged_database(migkit: Door, folder: Path) -> None:
    path = folder / "damaged.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (id integer PRIMARY KEY, name text)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", [(n, "x" * 200) for n in range(2000)])
    connection.close()
    data = bytearray(path.read_bytes())
    data[8192:20000] = b"\xff" * (20000 - 8192)
    path.write_bytes(data)
    for command in ("snapshot", "test"):
        told = migkit(command, "add.py", "-d", f"sqlite:///{path}")
        assert "malformed" in told.complaint or "damaged" in told.complaint
    assert path.read_bytes() == bytes(data)


def test_a_folder_instead_of_a_file(migkit: Door, folder: Path) -> None:
    assert "This is a folder" in migkit("snapshot", "one", "-d", f"sqlite:///{folder}").complaint


def test_a_file_that_is_not_there_is_not_made(migkit: Door, folder: Path) -> None:
    assert "There is no such file" in migkit("run", "add.py", "-d", f"sqlite:///{folder}/none.db").complaint
    assert not (folder / "none.db").exists()


@pytest.mark.parametrize("command", ["run", "snapshot", "rehearse"])
def test_a_locked_file(migkit: Door, file: Path, command: str) -> None:
    with sqlite3.connect(file, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("INSERT INTO users VALUES (3)")
        told = migkit(command, "add.py", "-d", f"sqlite:///{file}?timeout=0.1")
        assert "lock" in told.complaint
        holder.execute("ROLLBACK")
    holder.close()


def test_the_api_raises_what_the_command_line_says(folder: Path) -> None:
    with pytest.raises(ConnectionFailed, match="There is no such file"):
        verbs.capture(f"sqlite:///{folder}/none.db", progress=SILENT)
