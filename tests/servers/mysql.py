"""Private MariaDB and MySQL servers: MariaDB from Debian, MySQL from a folder with a Debian of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pymysql
from sqlalchemy import URL

from tests.servers.process import Process, Unavailable, free_port, private_folder, run, start
from tests.servers.provision import MYSQL_ROOT, MYSQL_TEMPLATE, is_mysql_provisioned

LEAK_PATIENCE_SECONDS = 3.0
# The data is thrown away: nothing has to survive a power cut.
_SETTINGS = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=256M",
    "--character-set-server=utf8mb4",
    "--bind-address=127.0.0.1",
    # For returning to a moment.
    "--log-bin=binlog",
    "--server-id=1",
    "--sync-binlog=0",
    "--binlog-format=ROW",
    "--log-bin-trust-function-creators=1",
    "--secure-file-priv=",
)


class MySQLServer:
    """A MySQL or MariaDB server and the databases of the tests on it."""

    def __init__(self, url: URL, process: Process | None = None, folder: Path | None = None) -> None:
        self.url = url
        self.process = process
        self.folder = folder

    def create(self, name: str) -> URL:
        """Create an empty database."""
        with self._maintenance() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}`")
        return self.url.set(database=name)

    def drop(self, url: URL) -> list[str]:
        """Drop a database; return what still held on to it. A server that a test has killed took it along."""
        if self.process is not None and not self.process.is_running():
            return []
        with self._maintenance() as connection, connection.cursor() as cursor:
            leaks = _leaks(cursor, str(url.database))
            for session, _, _ in leaks:
                cursor.execute(f"KILL {int(session)}")
            cursor.execute(f"DROP DATABASE IF EXISTS `{url.database}`")
        return [f"session {session} ({command}): {info}" for session, command, info in leaks]

    def stop(self) -> None:
        """End the server, if it is ours, and remove its data."""
        if self.process is not None:
            self.process.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _maintenance(self) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=self.url.host or "127.0.0.1",
            port=self.url.port or 3306,
            user=self.url.username or "root",
            password=self.url.password or "",
            autocommit=True,
        )


def _leaks(cursor: Any, name: str) -> list[tuple[int, str, str]]:
    """Sessions still on the database; a closed one takes the server a moment to forget."""
    deadline = time.monotonic() + LEAK_PATIENCE_SECONDS
    while True:
        cursor.execute("SELECT ID, COMMAND, INFO FROM information_schema.PROCESSLIST WHERE DB = %s", [name])
        rows = list(cursor.fetchall())
        if not rows or time.monotonic() > deadline:
            return rows
        time.sleep(0.02)


def start_mariadb(folder: Path) -> MySQLServer:
    """Start MariaDB on a fresh data folder."""
    program, installer = _find("mariadbd"), _find("mariadb-install-db")
    if program is None or installer is None:
        raise Unavailable("the Debian package mariadb-server is not installed (mariadbd is missing)")
    data = folder / "mariadb"
    identity = ["--user=root"] if os.geteuid() == 0 else []
    how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    scratch = _scratch_folder(folder / "mariadb-tmp")
    # Two servers that share a folder for temporary tables delete each other's.
    installing = ["env", f"TMPDIR={scratch}", installer, "--no-defaults", f"--datadir={data}", *identity, *how]
    run(installing, "mariadb-install-db")
    port = free_port()
    process = start(
        [
            program,
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={data / 'socket'}",
            f"--pid-file={data / 'pid'}",
            f"--tmpdir={scratch}",
            f"--port={port}",
            "--skip-networking=0",
            "--skip-name-resolve",
            *identity,
            *_SETTINGS,
        ],
        log=folder / "mariadb.log",
        stop_signal=signal.SIGKILL,
    )
    return _ready("mariadb+pymysql", port, process, data)


def start_mysql(folder: Path) -> MySQLServer:
    """Start MySQL on a copy of a data folder that was initialised once."""
    root = Path("/") if _has_own_mysql() else MYSQL_ROOT
    if root == Path("/"):
        data = folder / "mysql"
        run(["mysqld", "--no-defaults", "--initialize-insecure", f"--datadir={data}"], "mysqld --initialize-insecure")
        inside, enter = data, []
    else:
        _require_provisioned()
        data = private_folder(MYSQL_ROOT / "srv") / "mysql"
        shutil.copytree(MYSQL_TEMPLATE, data)
        inside, enter = Path("/") / data.relative_to(MYSQL_ROOT), ["chroot", str(MYSQL_ROOT)]
    _scratch_folder(data.with_name("mysql-tmp"))
    port = free_port()
    process = start(
        [
            *enter,
            "mysqld",
            "--no-defaults",
            *(["--user=root"] if os.geteuid() == 0 else []),
            f"--datadir={inside}",
            f"--socket={inside / 'socket'}",
            f"--pid-file={inside / 'pid'}",
            f"--tmpdir={inside.with_name('mysql-tmp')}",
            f"--port={port}",
            "--mysqlx=OFF",
            *_SETTINGS,
        ],
        log=folder / "mysql.log",
        stop_signal=signal.SIGKILL,
    )
    return _ready("mysql+pymysql", port, process, data.parent if enter else data)


def _scratch_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _require_provisioned() -> None:
    if not is_mysql_provisioned():
        raise Unavailable(
            f"MySQL is not provisioned under {MYSQL_ROOT}: run python3 tests/servers/provision.py as root on Debian, "
            "or set MIGKIT_TEST_MYSQL_URL"
        )
    if os.geteuid() != 0:
        raise Unavailable(f"only root can start the MySQL under {MYSQL_ROOT}: set MIGKIT_TEST_MYSQL_URL instead")


def _ready(driver: str, port: int, process: Process, folder: Path) -> MySQLServer:
    server = MySQLServer(URL.create(driver, "root", host="127.0.0.1", port=port), process, folder)

    def answers() -> bool:
        try:
            server._maintenance().close()
        except pymysql.OperationalError:
            return False
        return True

    try:
        process.wait_until(answers)
    except Unavailable:
        server.stop()
        raise
    return server


def _has_own_mysql() -> bool:
    """Whether the system's mysqld is MySQL; MariaDB answers to that name too."""
    program = _find("mysqld")
    if program is None:
        return False
    told = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and "MariaDB" not in told.stdout


def _find(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
