"""States that did not look at the same schemas."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from migkit.database import Database
from migkit.errors import NotComparable
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import State, load_state


@pytest.fixture
def two(postgresql: Database) -> Database:
    execute(
        postgresql,
        "CREATE TABLE t (id INTEGER PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        "CREATE SCHEMA s2",
        "GRANT USAGE ON SCHEMA s2 TO PUBLIC",
        "CREATE TABLE s2.u (id INTEGER PRIMARY KEY, v INTEGER)",
        "INSERT INTO s2.u VALUES (1, 1)",
        "CREATE VIEW s2.w AS SELECT id FROM s2.u",
    )
    return postgresql


def execute(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def not_looked_at(before: State, after: State) -> set[str]:
    comparison = compare(before, after)
    assert comparison.findings.empty
    assert comparison.tables["table"].tolist() == ["t"]
    unchecked = comparison.unchecked
    return set(unchecked.loc[unchecked["why"].str.contains("state looked at it"), "what"])


def test_a_capture_looks_where_the_earlier_one_did(two: Database) -> None:
    before = capture(two, schemas=["public"])
    after = capture(two, like=before)
    assert after.schemas == ("public",)
    assert compare(before, after).identical
    assert not_looked_at(before, after) == set()


def test_what_only_one_state_looked_at_is_listed_and_not_lost(two: Database) -> None:
    everything = capture(two)
    public = capture(two, schemas=["public"], like=everything)
    assert not_looked_at(everything, public) == {"schema s2"}
    assert not_looked_at(public, everything) == {"schema s2"}


def test_a_state_keeps_its_schemas(two: Database, tmp_path: Path) -> None:
    before = capture(two, schemas=["public"])
    loaded = load_state(before.save(tmp_path / "state.json"))
    assert loaded.schemas == ("public",)
    document = before.to_document()
    del document["schemas"]
    assert State.from_document(document).schemas is None


def test_what_both_looked_at_is_still_compared(two: Database) -> None:
    everything = capture(two)
    execute(two, "DELETE FROM t", "DROP TABLE s2.u CASCADE")
    assert compare(everything, capture(two, schemas=["public"], like=everything)).findings["where"].tolist() == ["t"]


def test_a_schema_that_is_gone_is_lost(two: Database) -> None:
    before = capture(two, schemas=["public", "s2"])
    execute(two, "DROP SCHEMA s2 CASCADE")
    found = compare(before, capture(two, like=before)).findings
    assert "s2.u" in set(found.loc[found["id"] == "table-lost", "where"])


def test_states_of_other_schemas_have_nothing_to_compare(postgresql: Database) -> None:
    with postgresql.engine.begin() as connection:
        for schema in ("a", "b"):
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            connection.exec_driver_sql(f"CREATE TABLE {schema}.t (id int PRIMARY KEY)")
    one, other = (capture(postgresql, schemas=[schema]) for schema in ("a", "b"))
    with pytest.raises(NotComparable, match="no table in common"):
        compare(one, other)


def test_what_only_one_looked_at_is_never_identical(postgresql: Database) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA a")
        for name in ("a.t", "t"):
            connection.exec_driver_sql(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    comparison = compare(capture(postgresql), capture(postgresql, schemas=["public"]))
    assert comparison.passed
    assert not comparison.identical
    assert "passed in the schemas that both states looked at" in str(comparison)
