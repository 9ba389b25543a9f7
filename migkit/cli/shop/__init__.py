"""The shop: a database to try migkit on, generated inside the server, the same for the same seed on every engine.

200,000 users with names in many scripts, 500,000 orders and 1.1 million order lines: enough for locks to last, small
enough to build in seconds. The statements of each engine lie beside this module, ``<engine>.sql``.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from migkit.database import Database
from migkit.dialects.base import Dialect
from migkit.errors import MigkitError, UnsupportedFeature
from migkit.progress import SILENT, Progress

TABLES = ("users", "categories", "products", "orders", "order_items", "price_history")

_HOURS_OF_HISTORY = 64_000  # 2019-01-01 to spring 2026
_NAMES = 4_000  # rows of shop_names: 100 slots that share out the countries, 40 people in each
_NAMES_PER_SLOT = 40
_STEP = re.compile(r"^-- step: (?P<label>.+)$", re.MULTILINE)
_PARAMETER = re.compile(r"\{(\w+)\}")
_END_OF_STATEMENT = re.compile(r";\s*\n\s*\n")
_LETTERS = str.maketrans({"ß": "ss", "Þ": "Th", "þ": "th", "ð": "d", "Æ": "Ae", "æ": "ae", "ı": "i", "Ł": "L",
                          "ł": "l", "Đ": "D", "đ": "d", "’": ""})  # fmt: skip

_scratch = sa.MetaData()
_names = sa.Table(
    "shop_names",
    _scratch,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Unicode(80), nullable=False),
    sa.Column("country", sa.String(2), nullable=False),
    sa.Column("dial", sa.String(6), nullable=False),
    sa.Column("given", sa.String(40), nullable=False),
    sa.Column("family", sa.String(40), nullable=False),
    mysql_charset="utf8mb4",
)
_words = sa.Table(
    "shop_words",
    _scratch,
    sa.Column("kind", sa.String(12), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("word", sa.Unicode(120), nullable=False),
    mysql_charset="utf8mb4",
)
_categories = sa.Table(
    "shop_categories",
    _scratch,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("parent_id", sa.Integer),
    sa.Column("name", sa.Unicode(60), nullable=False),
    mysql_charset="utf8mb4",
)


@dataclass(frozen=True)
class ShopSize:
    """How many rows the shop has.

    Parameters
    ----------
    users, products, orders : int
        Rows of each table.
    """

    users: int
    products: int
    orders: int

    @classmethod
    def scaled(cls, scale: float) -> ShopSize:
        """Return the size for a factor; 1.0 is 200,000 users, 2,000 products and 500,000 orders."""
        return cls(
            users=max(round(200_000 * scale), 100),
            products=max(round(2_000 * scale), 80),
            orders=max(round(500_000 * scale), 250),
        )


def build_shop(db: Database, *, scale: float = 1.0, seed: int = 7, progress: Progress = SILENT) -> None:
    """Build the shop in a database that has none of its tables.

    Parameters
    ----------
    db : Database
        Where to build; best an empty database.
    scale : float
        Size; 1.0 is 200,000 users, 2,000 products, 500,000 orders and about 1.1 million order lines.
    seed : int
        The same seed gives the same rows, on every engine.
    progress : Progress
        Told about every statement.

    Raises
    ------
    UnsupportedFeature
        If the shop is not written for this engine.
    MigkitError
        If a table of the shop is already there, or a statement fails.

    Examples
    --------
    >>> from migkit.database import connect
    >>> build_shop(connect("sqlite:///shop.db"), scale=0.01)  # doctest: +SKIP
    """
    size = ShopSize.scaled(scale)
    steps = _read_steps(db.dialect, _parameters(size, seed))
    _refuse_if_taken(db)
    progress.begin("Building the shop", total=sum(len(statements) for _, statements in steps))
    try:
        with db.engine.begin() as connection:
            _write_words(connection)
            bare = connection.execution_options(no_parameters=True)
            for _, statements in steps:
                for statement in statements:
                    bare.exec_driver_sql(statement)
                    progress.advance()
            _scratch.drop_all(connection)
    except sa.exc.SQLAlchemyError as error:
        raise MigkitError(
            f"The shop could not be built: {db.dialect.explain_error(error)}",
            where=db.name,
            next_step="Try again in an empty database.",
        ) from error
    progress.note("✓", f"Built the shop: {size.users:,} users, {size.products:,} products, {size.orders:,} orders")


def migrations() -> list[str]:
    """Return the file names of the migrations that come with the shop, in order."""
    return sorted(entry.name for entry in _migration_folder().iterdir() if entry.name.endswith(".py"))


def copy_migrations(directory: Path) -> list[Path]:
    """Copy the migrations that come with the shop to a folder where people can read and change them.

    Parameters
    ----------
    directory : Path
        The folder; made if needed. A file of the same name that somebody changed is kept beside it, as ``NAME.bak``.

    Returns
    -------
    list of Path
        The copies, in order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    copies = []
    for name in migrations():
        copy, content = directory / name, (_migration_folder() / name).read_bytes()
        if copy.exists() and copy.read_bytes() != content:
            _set_aside(copy)
        copy.write_bytes(content)
        copies.append(copy)
    return copies


def _set_aside(path: Path) -> None:
    number = itertools.count(1)
    kept = path.with_name(f"{path.name}.bak")
    while kept.exists():
        kept = path.with_name(f"{path.name}.bak{next(number)}")
    path.rename(kept)


def _migration_folder() -> Traversable:
    return resources.files(__name__) / "migrations"


def _read_steps(dialect: Dialect, parameters: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    _, *parts = _STEP.split(_sql_file(dialect).read_text(encoding="utf-8"))
    return [
        (label, list(_statements(_PARAMETER.sub(lambda name: str(parameters[name[1]]), body))))
        for label, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def _statements(body: str) -> Iterator[str]:
    for statement in _END_OF_STATEMENT.split(body):
        if statement.strip():
            yield statement.strip().removesuffix(";")


def _sql_file(dialect: Dialect) -> Traversable:
    # MariaDB reads what is written for MySQL: the second name is the SQL that the engine's dialect understands.
    for name in (dialect.name, dialect.sql_dialect):
        file = resources.files(__name__) / f"{name}.sql"
        if file.is_file():
            return file
    raise UnsupportedFeature(
        f"The shop is not written for {dialect.label}",
        next_step="Use postgresql, sqlite, mysql or mariadb.",
    )


def _parameters(size: ShopSize, seed: int) -> dict[str, int]:
    """Return the integers that the SQL files name in braces; times are seconds since 2019."""
    span = _HOURS_OF_HISTORY * 3_600
    offset = 3 * (span // size.users)  # so that nobody orders before signing up, whatever is rounded on the way
    return {
        "seed": seed % 2**31,
        "users": size.users,
        "products": size.products,
        "orders": size.orders,
        "span": span,
        "user_step": span // size.users,
        "order_step": span // size.orders,
        "order_offset": offset,
        "end": span + 2 * offset,
        "reseller_span": size.users // 48 + 1,
        "workshop_span": size.users // 400 + 1,
        "regular_span": size.users // 6_000 + 1,
    }


def _refuse_if_taken(db: Database) -> None:
    with db.engine.connect() as connection:
        found = sorted({*sa.inspect(connection).get_table_names()} & {*TABLES, *_scratch.tables})
    if found:
        raise MigkitError(
            f"The database already has tables called {', '.join(found)}; nothing was changed",
            where=db.name,
            next_step="The shop needs an empty database.",
        )


def _write_words(connection: sa.Connection) -> None:
    words: dict[str, Any] = json.loads((resources.files(__name__) / "words.json").read_text(encoding="utf-8"))
    _scratch.create_all(connection)
    connection.execute(_names.insert(), list(_people(words["locales"])))
    connection.execute(_words.insert(), list(_word_rows(words)))
    connection.execute(_categories.insert(), list(_category_rows(words["categories"])))


def _people(locales: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the people of `shop_names`: each country has as many rows as its weight, each row another name."""
    number = 0
    for locale in locales:
        given, family = locale["given"], locale["family"]
        for index in range(locale["weight"] * _NAMES_PER_SLOT):
            first = _spellings(given[index % len(given)])
            last = _spellings(family[(index // len(given) + index) % len(family)])
            name = last[0] + first[0] if locale.get("family_first") else f"{first[0]} {last[0]}"
            yield {"n": number, "name": name, "country": locale["country"], "dial": locale["dial"],
                   "given": first[1], "family": last[1]}  # fmt: skip
            number += 1
    if number != _NAMES:
        raise MigkitError(f"words.json shares out {number} names instead of {_NAMES}")


def _spellings(word: str) -> tuple[str, str]:
    """Return a name as it is written, and in plain Latin letters for its e-mail address."""
    written, _, latin = word.partition("/")
    decomposed = unicodedata.normalize("NFKD", (latin or written).translate(_LETTERS))
    return written, "".join(letter for letter in decomposed if letter.isascii())


def _word_rows(words: dict[str, Any]) -> Iterator[dict[str, Any]]:
    lists = {"adjective": words["adjectives"], "colour": words["colours"], "bio": words["bios"]}
    lists["good"] = [good for top in words["categories"] for leaf in top["children"] for good in leaf["goods"]]
    for kind, entries in lists.items():
        for number, word in enumerate(entries):
            yield {"kind": kind, "n": number, "word": word}


def _category_rows(tops: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    leaves = [(parent, leaf["name"]) for parent, top in enumerate(tops, 1) for leaf in top["children"]]
    for number, top in enumerate(tops, 1):
        yield {"id": number, "parent_id": None, "name": top["name"]}
    for number, (parent, name) in enumerate(leaves, len(tops) + 1):
        yield {"id": number, "parent_id": parent, "name": name}
