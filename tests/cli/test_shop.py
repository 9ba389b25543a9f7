"""The shop: the same believable rows on every engine, whole, and the same again for the same seed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit.cli import shop
from migkit.cli.shop import TABLES, ShopSize, build_shop, copy_migrations
from migkit.database import Database
from migkit.errors import MigkitError

SCALE = 0.005

# What scale 0.005 and seed 7 give, on every engine.
ROWS = {
    "users": 1_000,
    "categories": 48,
    "products": 80,
    "orders": 2_500,
    "order_items": 3_727,
    "price_history": 160,
}
TOTAL = Decimal("2200962.74")

FOREIGN_KEYS = (
    ("orders", "user_id", "users"),
    ("order_items", "order_id", "orders"),
    ("order_items", "product_id", "products"),
    ("products", "category_id", "categories"),
    ("price_history", "product_id", "products"),
    ("categories", "parent_id", "categories"),
)


class Recorder:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.total, self.done, self.notes = 0, 0, list[str]()

    def begin(self, label: str, total: int | None = None) -> None:
        self.total += total or 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def note(self, sign: str, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        pass


def ask(db: Database, sql: str) -> list[tuple[object, ...]]:
    with db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql))]


def one(db: Database, sql: str) -> object:
    ((value,),) = ask(db, sql)
    return value


@pytest.fixture
def built(db: Database) -> Database:
    build_shop(db, scale=SCALE)
    return db


def test_the_same_rows_on_every_engine(built: Database) -> None:
    counted = {table: one(built, f"SELECT count(*) FROM {table}") for table in TABLES}
    total = round(Decimal(str(one(built, "SELECT sum(total) FROM orders"))), 2)
    users = ask(built, "SELECT id, email, name, phone, bio FROM users WHERE id IN (2, 20, 52) ORDER BY id")

    assert counted == ROWS
    assert total == TOTAL
    assert users == [
        (2, "xavi.saez2@example.org", "Xavi Sáez", None, None),
        (20, "yui.ito20@example.com", "伊藤結衣", "+81 555 7038892", "Hobby baker; ask me about sourdough 🍞"),
        (52, "Arjun.Patel52@example.org", "अर्जुन पटेल", "+91 555 9598220", "Hobby baker; ask me about sourdough 🍞"),
    ]


def test_the_same_rows_on_every_version_of_postgresql(every_postgresql: Database) -> None:
    build_shop(every_postgresql, scale=SCALE)
    assert {table: one(every_postgresql, f"SELECT count(*) FROM {table}") for table in TABLES} == ROWS
    assert one(every_postgresql, "SELECT sum(total) FROM orders") == TOTAL


def test_the_database_is_whole(built: Database) -> None:
    for table, column, parent in FOREIGN_KEYS:
        orphans = f"SELECT count(*) FROM {table} AS child LEFT JOIN {parent} AS parent ON parent.id = child.{column}"
        assert one(built, f"{orphans} WHERE child.{column} IS NOT NULL AND parent.id IS NULL") == 0, (table, column)
    keys = {
        (table, key["constrained_columns"][0])
        for table in TABLES
        for key in sa.inspect(built.engine).get_foreign_keys(table)
    }
    assert keys == {(table, column) for table, column, _ in FOREIGN_KEYS}


def test_every_order_costs_what_its_lines_cost(built: Database) -> None:
    differing = (
        "SELECT count(*) FROM orders JOIN"
        " (SELECT order_id, sum(quantity * unit_price) AS cost FROM order_items GROUP BY order_id) AS item"
        " ON item.order_id = orders.id WHERE abs(item.cost - orders.total) > 0.001"
    )
    assert one(built, differing) == 0
    assert one(built, "SELECT count(DISTINCT order_id) FROM order_items") == ROWS["orders"]


def test_nobody_orders_before_signing_up(built: Database) -> None:
    early = "SELECT count(*) FROM orders JOIN users ON users.id = orders.user_id WHERE placed_at < created_at"
    assert one(built, early) == 0
    assert one(built, "SELECT count(*) FROM users WHERE last_login < created_at") == 0


def test_the_data_is_skewed_sparse_and_of_many_scripts(built: Database) -> None:
    names = "".join(str(name) for (name,) in ask(built, "SELECT name FROM users"))
    bios = "".join(str(bio) for (bio,) in ask(built, "SELECT bio FROM users WHERE bio IS NOT NULL"))
    busiest = ask(built, "SELECT user_id, count(*) AS n FROM orders GROUP BY user_id ORDER BY n DESC LIMIT 10")

    for script in (
        "[À-ž]",
        "[Α-ω]",
        "[А-я]",
        "[\u4e00-\u9fff]",
        "[\uac00-\ud7a3]",
        "[\u0600-\u06ff]",
        "[\u0900-\u097f]",
    ):
        assert re.search(script, names), script
    assert re.search("[\U0001f300-\U0001faff]", bios)
    assert one(built, "SELECT count(DISTINCT email) FROM users") == ROWS["users"]
    for column in ("phone", "bio", "last_login"):
        assert 0.1 < int(str(one(built, f"SELECT count(*) FROM users WHERE {column} IS NULL"))) / ROWS["users"] < 0.9
    assert sum(int(str(orders)) for _, orders in busiest) > ROWS["orders"] * 0.05
    assert len(ask(built, "SELECT country FROM users GROUP BY country")) == 20


def test_keys_go_on_where_the_shop_ends(built: Database) -> None:
    with built.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO users (email, name, country) VALUES ('new@example.com', 'N', 'US')"))
    assert one(built, "SELECT max(id) FROM users") == ROWS["users"] + 1


def test_a_changed_price_is_remembered_by_the_trigger(built: Database) -> None:
    with built.engine.begin() as connection:
        connection.execute(sa.text("UPDATE products SET price = price + 1 WHERE id = 3"))
        connection.execute(sa.text("UPDATE products SET sku = 'X' WHERE id = 4"))
    assert one(built, "SELECT count(*) FROM price_history") == ROWS["price_history"] + 1


def test_the_view_adds_up(built: Database) -> None:
    kept = one(built, "SELECT sum(total) FROM orders WHERE status NOT IN ('returned', 'cancelled')")
    shown = one(built, "SELECT sum(revenue) FROM country_revenue")
    assert abs(float(str(kept)) - float(str(shown))) < 0.01


def test_nothing_but_the_shop_is_left_in_the_database(built: Database) -> None:
    assert set(sa.inspect(built.engine).get_table_names()) == set(TABLES)


def test_another_seed_is_another_shop(sqlite: Database, make_database: object) -> None:
    other = make_database("sqlite")  # type: ignore[operator]
    build_shop(sqlite, scale=SCALE, seed=1)
    build_shop(other, scale=SCALE, seed=2)
    emails = "SELECT email FROM users ORDER BY id"
    assert ask(sqlite, emails) != ask(other, emails)


def test_a_database_that_has_such_tables_is_left_alone(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))

    with pytest.raises(MigkitError, match="orders; nothing was changed"):
        build_shop(db, scale=SCALE)

    assert sa.inspect(db.engine).get_table_names() == ["orders"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_build_that_fails_leaves_nothing_where_the_engine_can_take_ddl_back(
    engine: str, make_database: object
) -> None:
    db = make_database(engine)  # type: ignore[operator]
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE VIEW country_revenue AS SELECT 1 AS one"))

    with pytest.raises(MigkitError, match="could not be built"):
        build_shop(db, scale=SCALE)

    assert sa.inspect(db.engine).get_table_names() == []


def test_progress_counts_every_statement(sqlite: Database) -> None:
    recorder = Recorder()
    build_shop(sqlite, scale=SCALE, progress=recorder)
    assert recorder.done == recorder.total > 10
    assert recorder.notes == ["Built the shop: 1,000 users, 80 products, 2,500 orders"]


def test_scale_one_is_the_promised_size() -> None:
    assert ShopSize.scaled(1.0) == ShopSize(users=200_000, products=2_000, orders=500_000)


def test_every_number_an_sql_file_names_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given = shop._parameters(ShopSize.scaled(1.0), 7)
    for file in Path(shop.__file__).parent.glob("*.sql"):
        body = shop._STEP.split(file.read_text(encoding="utf-8"))[1:]
        assert {name for part in body for name in shop._PARAMETER.findall(part)} <= given.keys(), file.name


def test_migrations_are_copied_as_they_are(tmp_path: Path) -> None:
    copies = copy_migrations(tmp_path / "migrations")
    assert [copy.name for copy in copies] == ["001_add_user_profile.py", "002_add_email_verification.py"]
    source = Path(shop.__file__).parent / "migrations"
    assert all(copy.read_bytes() == (source / copy.name).read_bytes() for copy in copies)


def test_a_migration_that_somebody_changed_is_kept_when_it_is_copied_anew(tmp_path: Path) -> None:
    for mine in ("first", "second"):
        (tmp_path / "001_add_user_profile.py").write_text(mine, encoding="utf-8")
        copy_migrations(tmp_path)
    copy_migrations(tmp_path)

    kept = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.bak*")}
    assert kept == {"001_add_user_profile.py.bak": "first", "001_add_user_profile.py.bak1": "second"}
