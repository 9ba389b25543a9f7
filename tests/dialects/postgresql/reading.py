"""Reading tables the way a capture does, for tests."""

from __future__ import annotations

from migkit.database import Database
from migkit.dialects.base import Catalog, TableContent
from migkit.dialects.postgresql.sql import execute

Digests = dict[str, tuple[int, int]]


def run(db: Database, *statements: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            execute(connection, statement)


def content_of(catalog: Catalog, table: str, **changes: object) -> TableContent:
    facts = next(row for row in catalog.tables if row["table"] == table)
    columns = sorted((row for row in catalog.columns if row["table"] == table), key=lambda row: row["position"])
    values = {
        "schema": facts["schema"],
        "table": table,
        "columns": tuple((row["column"], row["content_type"]) for row in columns),
        "key": tuple(facts["key"] or ()),
        "pages": facts["pages"],
        "kind": facts["kind"],
    }
    return TableContent(**(values | changes))  # type: ignore[arg-type]


def digests(db: Database, table: str, **changes: object) -> tuple[Digests, int]:
    """Return rows that are not NULL and the sum of their hashes per column, and the sum of whole rows."""
    with db.dialect.snapshot(db.engine, 1) as (connection,):
        content = content_of(db.dialect.read_catalog(connection, None), table, **changes)
    return digests_of(db, content)


def digests_of(db: Database, content: TableContent) -> tuple[Digests, int]:
    """The same, where the catalog is known."""
    with db.dialect.snapshot(db.engine, 1) as (connection,):
        found = [
            one
            for task in db.dialect.content_tasks(content)
            for one in db.dialect.read_content(connection, content, task)
        ]
    sums: Digests = {}
    for one in found:
        for name, (count, total) in one.sums.items():
            earlier = sums.get(name, (0, 0))
            sums[name] = (earlier[0] + count, (earlier[1] + total) % 2**64)
    return sums, sum(one.row_sum for one in found) % 2**64


def changed(before: Digests, after: Digests) -> set[str]:
    return {name for name in before if before[name] != after[name]}
