"""What a comparison says about a change, on every engine."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from migkit.database import Database
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import State

SHOP = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(100), visits INTEGER, price NUMERIC(10,2))",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, note VARCHAR(50),"
    " CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id))",
    "CREATE INDEX orders_by_user ON orders (user_id, note)",
)


def execute(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.fixture
def shop(db: Database) -> Database:
    execute(db, *SHOP)
    with db.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO users VALUES (:id, :email, :visits, :price)"),
            [{"id": n, "email": f"user{n}@example.com", "visits": n % 7, "price": n / 4} for n in range(1, 301)],
        )
        connection.execute(
            text("INSERT INTO orders VALUES (:id, :user, :note)"),
            [{"id": n, "user": n, "note": None if n % 2 else f"order {n}"} for n in range(1, 101)],
        )
    return db


def compared(db: Database, before: State, *statements: str, allow: tuple[str, ...] = ()) -> Comparison:
    execute(db, *statements)
    return compare(before, capture(db, like=before), allow=allow)


def ids(comparison: Comparison, severity: str = "error") -> set[tuple[str, str]]:
    found = comparison.findings
    return set(zip(*(found.loc[found["severity"] == severity, name] for name in ("id", "where")), strict=True))


def test_two_captures_of_one_database_are_identical(shop: Database) -> None:
    comparison = compare(capture(shop), capture(shop))
    assert comparison.identical
    assert comparison.passed
    assert comparison.row_count_diff == 0
    assert comparison.integrity_check
    assert comparison.errors == []


def test_one_changed_value_names_its_column_and_key_range(shop: Database) -> None:
    comparison = compared(shop, capture(shop), "UPDATE users SET visits = visits + 1 WHERE id = 77")
    assert ids(comparison) == {("data-changed", "users.visits")}
    changed = comparison.columns.query("content == 'changed'")
    assert changed[["table", "column"]].to_numpy().tolist() == [["users", "visits"]]
    low, high = changed["where"].item().removeprefix("id ").split("..")
    assert int(low) <= 77 <= int(high)
    assert int(high) - int(low) < 16


def test_two_rows_that_exchange_a_value_do_not_cancel_out(shop: Database) -> None:
    comparison = compared(
        shop,
        capture(shop),
        "UPDATE users SET email = CASE id WHEN 5 THEN 'user6@example.com' ELSE 'user5@example.com' END"
        " WHERE id IN (5, 6)",
    )
    assert ids(comparison) == {("data-changed", "users.email")}


def test_null_is_not_the_empty_string(shop: Database) -> None:
    comparison = compared(shop, capture(shop), "UPDATE orders SET note = '' WHERE id = 1")
    assert ids(comparison) == {("data-changed", "orders.note")}


def test_a_dropped_column_fails_until_it_is_declared(shop: Database) -> None:
    before = capture(shop)
    after = compared(shop, before, "ALTER TABLE users DROP COLUMN visits")
    assert ids(after) == {("column-lost", "users.visits")}
    assert not after.integrity_check
    allowed = compare(before, capture(shop, like=before), allow=["drop_column:users.visits"])
    assert allowed.passed


def test_a_declaration_that_nothing_met_is_a_finding(shop: Database) -> None:
    before = capture(shop)
    comparison = compare(before, before, allow=["drop_column:users.vists"])
    assert comparison.passed
    assert ids(comparison, "warning") == {("allowance-unused", "drop_column:users.vists")}


def test_a_renamed_column_is_recognised_by_its_content(shop: Database) -> None:
    comparison = compared(shop, capture(shop), "ALTER TABLE users RENAME COLUMN email TO mail")
    assert comparison.passed
    renamed = comparison.columns.query("change == 'renamed'")
    assert renamed[["column", "renamed_from", "content"]].to_numpy().tolist() == [["mail", "email", "intact"]]


def test_a_renamed_column_is_recognised_though_rows_were_added(shop: Database) -> None:
    comparison = compared(
        shop,
        capture(shop),
        "ALTER TABLE users RENAME COLUMN email TO mail",
        "INSERT INTO users VALUES (9000, 'new@example.com', 1, 2)",
    )
    assert comparison.passed, comparison.errors
    assert comparison.columns.query("change == 'renamed'")["column"].tolist() == ["mail"]


def test_a_renamed_table_is_recognised_by_its_content(shop: Database) -> None:
    comparison = compared(shop, capture(shop), "ALTER TABLE users RENAME TO people")
    assert comparison.passed, comparison.errors
    table = comparison.tables.query("change == 'renamed'")
    assert table[["table", "renamed_from", "content"]].to_numpy().tolist() == [["people", "users", "intact"]]


def test_rows_appended_leave_the_others_visibly_intact(shop: Database) -> None:
    comparison = compared(shop, capture(shop), "INSERT INTO users VALUES (301, 'new', 1, 2)")
    assert comparison.passed
    assert comparison.row_count_diff == 1
    assert comparison.tables.query("table == 'users'")["content"].item() == "appended"


def test_a_value_changed_beside_an_appended_row_is_still_found(shop: Database) -> None:
    comparison = compared(
        shop,
        capture(shop),
        "INSERT INTO users VALUES (301, 'new', 1, 2)",
        "UPDATE users SET price = 0 WHERE id = 300",
    )
    assert ids(comparison) == {("data-changed", "users.price")}


def test_rows_inserted_among_others_are_unproven_from_digests_alone(shop: Database) -> None:
    execute(shop, "DELETE FROM orders WHERE id > 0", "DELETE FROM users WHERE id = 150")
    comparison = compared(shop, capture(shop), "INSERT INTO users VALUES (150, 'back', 1, 2)")
    assert not comparison.passed
    assert {rule for rule, _ in ids(comparison)} == {"content-unproven"}


def test_deleted_rows_fail_until_declared(shop: Database) -> None:
    before = capture(shop)
    comparison = compared(shop, before, "DELETE FROM orders WHERE id > 60")
    assert ("rows-lost", "orders") in ids(comparison)
    assert comparison.row_count_diff == -40


def test_orphans_new_since_before_fail(shop: Database) -> None:
    execute(shop, "ALTER TABLE orders ADD COLUMN spare INTEGER")
    comparison = compared(shop, capture(shop), "CREATE TABLE notes (id INTEGER PRIMARY KEY, body VARCHAR(10))")
    assert comparison.passed
    assert comparison.tables.query("change == 'added'")["table"].tolist() == ["notes"]
    assert comparison.orphaned_records == 0


def test_a_dropped_table_is_one_finding_not_one_per_column(shop: Database) -> None:
    before = capture(shop)
    comparison = compared(shop, before, "DROP TABLE orders")
    assert ids(comparison) == {("table-lost", "orders")}
    assert compare(before, capture(shop), allow=["drop_table:orders"]).passed


def test_a_dropped_index_fails_until_declared(shop: Database, engine_name: str) -> None:
    execute(shop, "CREATE INDEX users_by_visits ON users (visits)")
    before = capture(shop)
    drop = "DROP INDEX users_by_visits"
    comparison = compared(shop, before, f"{drop} ON users" if engine_name in ("mysql", "mariadb") else drop)
    assert ids(comparison) == {("index-lost", "users.users_by_visits")}
    assert compare(before, capture(shop), allow=["drop_index:users.users_by_visits"]).passed


def test_an_index_goes_with_its_only_column(shop: Database) -> None:
    execute(shop, "CREATE INDEX users_by_visits ON users (visits)")
    before = capture(shop)
    if shop.dialect.transactional_ddl:
        execute(shop, "DROP INDEX users_by_visits")
    execute(shop, "ALTER TABLE users DROP COLUMN visits")
    assert compare(before, capture(shop), allow=["drop_column:users.visits"]).passed


@pytest.mark.excused("mysql", why="an index that loses a column stays with the others, and reads as changed")
@pytest.mark.excused("mariadb", why="an index that loses a column stays with the others, and reads as changed")
def test_an_index_over_a_column_that_stays_is_lost(shop: Database) -> None:
    before = capture(shop)
    execute(shop, "DROP INDEX orders_by_user", "ALTER TABLE orders DROP COLUMN note")
    comparison = compare(before, capture(shop), allow=["drop_column:orders.note"])
    assert ids(comparison) == {("index-lost", "orders.orders_by_user")}
    assert "with one of its columns" in comparison.errors[0]


def test_adding_a_column_leaves_the_others_intact(shop: Database) -> None:
    comparison = compared(shop, capture(shop), "ALTER TABLE users ADD COLUMN flag INTEGER DEFAULT 1")
    assert comparison.passed
    content = comparison.columns.query("table == 'users'").set_index("column")["content"].to_dict()
    assert content == {"id": "intact", "email": "intact", "visits": "intact", "price": "intact", "flag": "added"}
    assert ids(comparison, "warning") == set()


def test_text_reads_like_a_report(shop: Database) -> None:
    comparison = compared(
        shop, capture(shop), "UPDATE users SET visits = 99 WHERE id = 1", "CREATE TABLE extra (id INTEGER PRIMARY KEY)"
    )
    told = str(comparison)
    assert "✓ Table orders: 100 rows (unchanged)" in told
    assert "⚠ Table users: 300 rows (data changed)" in told
    assert "+ Table extra was added (0 rows)" in told
    assert "Tables: 1 added, 2 unchanged" in told


def test_states_of_different_engines_are_refused(sqlite: Database, postgresql: Database) -> None:
    from migkit.errors import NotComparable

    with pytest.raises(NotComparable, match="SQLite and one of PostgreSQL"):
        compare(capture(sqlite), capture(postgresql))


def test_a_table_without_a_key_is_compared_as_a_multiset(db: Database) -> None:
    execute(db, "CREATE TABLE log (a INTEGER, b INTEGER)", "INSERT INTO log VALUES (1, 2), (3, 4), (1, 2)")
    before = capture(db)
    assert compared(db, before, "UPDATE log SET a = a").identical
    swapped = compared(db, before, "UPDATE log SET a = 4 - a")
    assert not swapped.passed
    assert not compare(before, capture(db)).identical


def test_an_exchange_between_rows_without_a_key_is_found(db: Database) -> None:
    execute(db, "CREATE TABLE log (a INTEGER, b INTEGER)", "INSERT INTO log VALUES (1, 2), (3, 4)")
    comparison = compared(db, capture(db), "UPDATE log SET b = 6 - b")
    assert not comparison.passed
    assert ids(comparison) == {("data-changed", "log")}
