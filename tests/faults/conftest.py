"""Fixtures: the command line called from inside and from outside, accounts with few rights, a disk that is full."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from migkit.cli import main
from migkit.database import Database
from tests.faults.support import NOBODY, Door, Told, address, execute
from tests.servers.process import private_folder
from tests.servers.registry import remove, unique_name

ADDITIVE = """
import sqlalchemy as sa
metadata = {"version": "001"}
def up(op):
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
def down(op):
    op.drop_table("notes")
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory that other users may enter, with ``add.py`` in it, and temporary files of its own."""
    made = private_folder()
    (made / "tmp").mkdir()
    (made / "tmp").chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(made / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (made / "add.py").write_text(ADDITIVE)
    monkeypatch.chdir(made)
    yield made
    remove(made)


@pytest.fixture
def migkit(folder: Path, capsys: pytest.CaptureFixture[str]) -> Door:
    """The command line, called in this process: arguments in, exit code and output out."""

    def call(*arguments: str) -> Told:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        return Told(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process of its own; what a test leaves running is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        command = [*prefix, sys.executable, "-W", "error", "-m", "migkit", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def as_nobody() -> tuple[str, ...]:
    """What to put before a command so that it runs without root's rights."""
    if os.geteuid() != 0:
        pytest.skip("only root can give its rights away")
    return NOBODY


@pytest.fixture
def guarded(postgresql: Database) -> Iterator[str]:
    """A PostgreSQL role that has to give its password, which is ``s3cret/+@%ü``."""
    role = unique_name()
    with psycopg.connect(address(postgresql, driver="postgresql"), autocommit=True) as connection:
        [file] = connection.execute("SHOW hba_file").fetchone() or [""]
        rules = Path(str(file))
        if not os.access(rules, os.W_OK):
            pytest.skip("the server's pg_hba.conf cannot be written, so no role can be made to give a password")
        before = rules.read_text()
        connection.execute(sa_text(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"))
        rules.write_text(f"local all {role} scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        yield role
        rules.write_text(before)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(sa_text(f"DROP OWNED BY {role}; DROP ROLE {role}"))


PASSWORD = "s3cret/+@%ü"


def sa_text(sql: str) -> bytes:
    return sql.encode()


@pytest.fixture
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A folder on a file system of one megabyte."""
    place = folder / "tiny"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def shop(db: Database) -> Database:
    """Users and their orders, on every engine."""
    return with_shop(db)


def with_shop(db: Database) -> Database:
    execute(
        db,
        "CREATE TABLE users (id integer PRIMARY KEY, email varchar(50))",
        "CREATE TABLE orders (id integer PRIMARY KEY, user_id integer, FOREIGN KEY (user_id) REFERENCES users (id))",
        "INSERT INTO users VALUES (1, 'ann'), (2, 'bob'), (3, NULL)",
        "INSERT INTO orders VALUES (10, 1), (11, 2)",
    )
    return db


@pytest.fixture
def pg_shop(postgresql: Database) -> Database:
    """The shop on PostgreSQL."""
    return with_shop(postgresql)


@pytest.fixture
def file_shop(folder: Path, sqlite: Database) -> Database:
    """The shop in a SQLite file."""
    return with_shop(sqlite)
