"""The practice shop every page of the tutorial begins with: fresh each time, in a folder and a database of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine, make_url

import migkit as mk
from migkit import embedded
from migkit.cli.shop import build_shop
from migkit.dialects import dialect_for

HERE = Path(__file__).resolve().parent

# Sentences in frames are there to be read to their end.
pd.set_option("display.max_colwidth", 120)


def open_shop(page: str, engine: str, *, scale: float = 0.02) -> mk.Database:
    """Build a fresh shop for a page of the tutorial, and step into the page's folder.

    Parameters
    ----------
    page : str
        The page; its folder is ``work/PAGE``, made anew.
    engine : str
        ``postgresql`` (the private server), ``sqlite`` (a file), or the URL of a MySQL or MariaDB server whose account
        may create databases.
    scale : float
        Size of the shop; 1.0 is 200,000 users and 500,000 orders.

    Returns
    -------
    Database
        The shop; ``migkit.toml`` in the folder calls it ``shop``, so that the command line knows it, too.
    """
    db = empty_database(page, engine)
    build_shop(db, scale=scale)
    return db


def empty_database(page: str, engine: str) -> mk.Database:
    """Step into the page's folder, made anew, with an empty database that ``migkit.toml`` calls ``shop``."""
    folder = HERE / "work" / page
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "migrations").mkdir(parents=True)
    os.chdir(folder)
    drop_shop(page, engine)
    if engine == "sqlite":
        file = folder / "shop.db"
        file.touch()
        url = f"sqlite:///{file.as_posix()}"
    elif "://" in engine:
        _on_server(engine, f"CREATE DATABASE {_name(page)}")
        url = make_url(engine).set(database=_name(page)).render_as_string(hide_password=False)
    else:
        server = embedded.server_url()
        url = dialect_for(server).create_scratch(server, _name(page)).render_as_string(hide_password=False)
    Path("migkit.toml").write_text(f'[databases.shop]\nurl = "{url}"\n', encoding="utf-8")
    return mk.connect("shop")


def drop_shop(page: str, engine: str) -> None:
    """Drop the database of a page, if there is one."""
    if engine == "sqlite":
        for file in (HERE / "work" / page).glob("shop.db*"):
            file.unlink()
    elif engine == "postgresql":
        server = embedded.server_url()
        dialect_for(server).drop_scratch(server.set(database=_name(page)))
    elif engine.startswith(("mysql", "mariadb")):
        _on_server(engine, f"DROP DATABASE IF EXISTS {_name(page)}")
    else:
        raise ValueError(
            f"The tutorial is written for postgresql, sqlite, or the URL of a MySQL server, not {engine!r}."
        )


def million_users(db: mk.Database) -> None:
    """Fill a table ``users``; a file is set up as web applications do, so that readers go on while somebody writes."""
    users = 1_000_000
    counting = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {users})"
    setting, rows = {
        "PostgreSQL": ("", f"SELECT n, 'User' || n || '@Example.com' FROM generate_series(1, {users}) AS n"),
        "SQLite": ("PRAGMA journal_mode = WAL", f"{counting} SELECT n, 'User' || n || '@Example.com' FROM numbers"),
        "MySQL": (
            f"SET SESSION cte_max_recursion_depth = {users}",
            f"{counting} SELECT n, CONCAT('User', n, '@Example.com') FROM numbers",
        ),
        "MariaDB": (
            f"SET SESSION max_recursive_iterations = {users}",
            f"{counting} SELECT n, CONCAT('User', n, '@Example.com') FROM numbers",
        ),
    }[db.dialect.label]
    table = "users (id integer PRIMARY KEY, email varchar(255) NOT NULL, visits integer NOT NULL DEFAULT 0)"
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (setting, f"CREATE TABLE {table}", f"INSERT INTO users (id, email) {rows}"):
            if statement:
                connection.exec_driver_sql(statement)


def _on_server(url: str, statement: str) -> None:
    server = create_engine(make_url(url)._replace(database=None))
    with server.connect() as connection:
        connection.exec_driver_sql(statement)
    server.dispose()


def _name(page: str) -> str:
    return f"tutorial_{page}"
