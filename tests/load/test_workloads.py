"""Workloads: read from files, written in Python, derived from the schema, learned from the server."""

from __future__ import annotations

from collections import Counter as Counted
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import migkit as mk
from migkit.database import Database
from migkit.dialects import PostgreSQL, SQLite
from migkit.dialects.workloads import cut_names
from migkit.errors import ConfigError, UnsupportedFeature
from migkit.load.deriving import derive_workload
from migkit.load.expressions import Assignment
from migkit.load.parameters import (
    Choice,
    Constant,
    Counter,
    Integers,
    Parameter,
    Place,
    Sampled,
    Text,
    Zipf,
    values_of,
)
from migkit.load.reading import parse_parameter, read_workload
from migkit.load.sampling import resolved, try_once
from migkit.load.server_queries import workload_from_server
from migkit.load.workload import Statement, Transaction, Workload
from tests.load.support import execute, with_items


def _drawn(parameter: Parameter, count: int = 5000, place: Place | None = None) -> list[Any]:
    place = place or Place()
    return list(islice(values_of(parameter, place.generator(), place), count))


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT :a, ':b', \":c\", `:d` FROM t WHERE e::text = :e -- :f", ("a", "e")),
        ("SELECT $$ :a $$, $x$ :b $x$, :c /* :d */", ("c",)),
        ("SELECT a[1:2], x\\:y, :_z1", ("_z1",)),
        ("SELECT 'it''s :a', :b", ("b",)),
        ("SELECT 12:34", ()),
    ],
)
def test_names_are_found_where_they_are_names(sql: str, names: tuple[str, ...]) -> None:
    assert cut_names(sql).names == names


def test_backslashes_escape_only_where_they_do() -> None:
    sql = r"SELECT 'a\' :b', ':c', :d'"
    assert cut_names(r"SELECT 'a\'', :b", backslashes=True).names == ("b",)
    assert "b" in cut_names(sql).names


def test_one_name_has_one_number() -> None:
    text, names = cut_names("SELECT :a, :b, :a").numbered()
    assert (text, names) == ("SELECT $1, $2, $1", ("a", "b"))
    assert cut_names("SELECT :a, :b, :a").questioned() == "SELECT ?, ?, ?"


def test_entries_have_names_of_their_own() -> None:
    work = Workload.of("SELECT 1", "SELECT 1", Transaction(["UPDATE t SET a = 1", "SELECT 2"], weight=2))
    assert [entry.name for entry in work.entries] == ["SELECT 1", "SELECT 1 (2)", "UPDATE t SET a = 1"]
    assert work.entries[2].steps == ("BEGIN", "UPDATE t SET a = 1", "SELECT 2", "COMMIT")
    assert work.writes and not Workload.of("WITH a AS (SELECT 1) SELECT * FROM a").writes
    assert "<b>" not in Workload.of("SELECT '<b>'")._repr_html_()
    # Also where one looks as if it had been numbered: what has one name is counted as one.
    named = Workload.of(*(Statement("SELECT 1", name) for name in ("a", "a (2)", "a")))
    assert [entry.name for entry in named.entries] == ["a", "a (2)", "a (3)"]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [Statement("SELECT 1", weight=0)],
        [Statement("SELECT :a", parameters={"a": []})],
        [Statement("SELECT 1", str(number)) for number in range(1_025)],
    ],
)
def test_workloads_that_are_none(parts: list[Statement]) -> None:
    with pytest.raises(ConfigError):
        Workload.of(*parts)


# --- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_draw_what_they_say() -> None:
    assert set(_drawn(Integers(3, 5))) == {3, 4, 5}
    assert set(_drawn(Choice(("a", None)))) == {"a", None}
    assert set(_drawn(Constant(7), 10)) == {7}
    assert all(len(text) == 12 and text.islower() for text in _drawn(Text(12), 300))
    zipf = Counted(_drawn(Zipf(1, 100_000, 1.1), 20_000))
    assert zipf[1] > 1.5 * zipf[2] > 1.5 * zipf[4] > 0 and min(zipf) == 1 and max(zipf) > 10_000
    assert _drawn(Integers(1, 9)) == _drawn(Integers(1, 9))


def test_sequences_meet_nowhere() -> None:
    drawn = [_drawn(Counter(10), 9000, Place(worker, 3)) for worker in range(3)]
    assert sorted(number for part in drawn for number in part) == list(range(10, 27_010))
    assert _drawn(Counter(1, "user-{}@x"), 2) == ["user-1@x", "user-2@x"]


@pytest.mark.parametrize(
    ("spec", "parameter"),
    [
        ("range 1 9", Integers(1, 9)),
        ("zipf 1 9 1.5", Zipf(1, 9, 1.5)),
        ("sample users.id", Sampled("users", "id")),
        ('sample app."Odd ""Name".id 1.2', Sampled('Odd "Name', "id", "app", skew=1.2)),
        ("choice a, 'b c', 3", Choice(("a", "b c", 3))),
        ("constant 2.5", Constant(2.5)),
        ("sequence 100 user-{}", Counter(100, "user-{}")),
        ("text 8", Text(8)),
    ],
)
def test_parameters_are_read(spec: str, parameter: Parameter) -> None:
    assert parse_parameter(spec, "here") == parameter


@pytest.mark.parametrize("spec", ["range 9 1", "range 1", "sample users", "dice 6", "zipf 1 9 0", ""])
def test_parameters_that_are_not_understood(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"^work.sql:3: "):
        parse_parameter(spec, "work.sql:3")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * :a", 7), ("-7 / 2", -3), ("-7 % 3", -1), ("greatest(1, :a, 2)", 3), ("abs(-2.5)", 2.5), ("2 ^ 3", 8)],
)
def test_expressions(text: str, value: float) -> None:
    assert Assignment("x", text).compiled()({"a": 3}, np.random.default_rng(1)) == value


@pytest.mark.parametrize("function", ["random(1, 10)", "random_zipfian(1, 10, 1.2)", "random_gaussian(1, 10, 3)"])
def test_random_expressions_stay_in_their_range(function: str) -> None:
    evaluate, chance = Assignment("x", function).compiled(), np.random.default_rng(1)
    drawn = {evaluate({}, chance) for _ in range(3000)}
    assert drawn == set(range(1, 11))


@pytest.mark.parametrize(
    "text", ["__import__('os')", "().__class__", "open(1)", "[1]", "1 +", "f(x for x in y)", "'a'"]
)
def test_expressions_are_never_python(text: str) -> None:
    with pytest.raises(ConfigError, match="not understood"):
        Assignment("x", text).compiled()


# --- files ------------------------------------------------------------------------------------------------------------


def test_sql_files_say_weights_and_parameters(tmp_path: Path) -> None:
    path = tmp_path / "shop.sql"
    path.write_text(
        "-- A remark.\n-- migkit: name by user\n-- migkit: weight 3\n-- migkit: param user sample users.id\n"
        "SELECT * FROM orders\nWHERE user_id = :user;\n\n-- migkit: param id range 1 10\n"
        "BEGIN; UPDATE orders SET n = 1 WHERE id = :id; COMMIT;\nSELECT ';';\n"
    )
    work = read_workload(path, PostgreSQL())
    assert [(entry.name, entry.weight, len(entry.steps)) for entry in work.entries] == [
        ("by user", 3.0, 1),
        ("UPDATE orders SET n = 1 WHERE id = :id", 1.0, 3),
        ("SELECT ';'", 1.0, 1),
    ]
    assert work.entries[0].parameters == {"user": Sampled("users", "id")}
    assert work.entries[1].parameters == {"id": Integers(1, 10)}
    work.check_names(PostgreSQL())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-- migkit: wheight 3\nSELECT 1", r"work.sql:1: .*wheight"),
        ("SELECT 1;\n-- migkit: weight much\nSELECT 2", r"work.sql:2: A weight is a number"),
        ("BEGIN; SELECT 1;", "no COMMIT"),
        ("-- nothing", "holds no statement"),
        ("\\setshell a b\nSELECT 1", r"work.sql:1: \\setshell"),
        ("\\set a nonsense(1)\nSELECT :a", r"work.sql:1: .*not understood"),
    ],
)
def test_files_that_are_wrong_name_the_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "work.sql"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_workload(path, PostgreSQL())


def test_toml_files(tmp_path: Path) -> None:
    path = tmp_path / "work.toml"
    path.write_text(
        '[[statement]]\nsql = "SELECT :id"\nweight = 2\n[statement.parameters]\nid = "range 1 9"\n'
        '[[transaction]]\nname = "both"\nstatements = ["SELECT 1", "SELECT :x"]\n[transaction.parameters]\nx = [1, 2]\n'
    )
    first, second = read_workload(path, SQLite()).entries
    assert (first.weight, first.parameters) == (2.0, {"id": Integers(1, 9)})
    assert (second.name, second.parameters) == ("both", {"x": Choice((1, 2))})
    path.write_text('[[statement]]\nsqll = "SELECT 1"\n')
    with pytest.raises(ConfigError, match=r"statement 1: Unknown key 'sqll'"):
        read_workload(path, SQLite())


def test_pgbench_scripts(tmp_path: Path) -> None:
    path = tmp_path / "tpcb.sql"
    path.write_text(
        "\\set scale 2\n\\set aid random(1, 100000 * :scale)\n\\set half :aid / 2\nBEGIN;\n"
        "UPDATE a SET b = b + 1 WHERE aid = :aid;\nSELECT :half;\nEND;\n"
    )
    (entry,) = read_workload(path, PostgreSQL()).entries
    assert entry.parameters == {"scale": Constant(2), "aid": Integers(1, 200_000)}
    assert [assignment.name for assignment in entry.assignments] == ["half"]
    assert len(entry.steps) == 4 and entry.name == "tpcb"


# --- derived ----------------------------------------------------------------------------------------------------------

ODD = 'or"d`er; drop:x %s'


def _shop(db: Database) -> None:
    quote = db.dialect.quote
    number = {"sqlite": "integer PRIMARY KEY", "postgresql": "bigserial PRIMARY KEY"}.get(
        db.dialect.name, "bigint AUTO_INCREMENT PRIMARY KEY"
    )
    execute(
        db,
        f"CREATE TABLE users (id {number}, email varchar(90) NOT NULL UNIQUE, n integer)",
        f"CREATE TABLE {quote(ODD)} ({quote('i:d')} integer PRIMARY KEY, user_id bigint NOT NULL, note varchar(90),"
        " FOREIGN KEY (user_id) REFERENCES users(id))",
        "INSERT INTO users (email, n) VALUES " + ", ".join(f"('u{n}@example.org', {n})" for n in range(50)),
        f"INSERT INTO {quote(ODD)} VALUES " + ", ".join(f"({n}, {n % 40 + 1}, 'note')" for n in range(100)),
    )


def test_a_workload_is_derived_from_any_schema(db: Database) -> None:
    _shop(db)
    work = derive_workload(db)
    names = {entry.name for entry in work.entries}
    assert {
        "SELECT users by id",
        "SELECT users range by id",
        "UPDATE users",
        "INSERT users",
        f"SELECT {ODD} by user_id",
        f"SELECT {ODD} join users",
        f"INSERT {ODD}",
    } <= names
    ready = try_once(resolved(work, db), db)
    assert len(ready.entries) == len(work.entries) and not ready.unchecked
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == 50, "trying left rows behind"


def test_what_cannot_be_derived_is_said(sqlite: Database) -> None:
    execute(
        sqlite,
        "CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b))",
        "CREATE TABLE empty (id integer PRIMARY KEY, n integer)",
        "INSERT INTO pairs VALUES (1, 2)",
    )
    work = try_once(resolved(derive_workload(sqlite), sqlite, lenient=True), sqlite, lenient=True)
    told = dict(work.unchecked)
    assert told["inserts into pairs"] == "it has no key of one column"
    assert "there is no value in it" in told["SELECT empty by id"]
    with mk.connect("sqlite://") as nothing, pytest.raises(ConfigError, match="no table"):
        derive_workload(nothing)


# --- from the server --------------------------------------------------------------------------------------------------


def test_the_applications_own_queries(mysql: Database) -> None:
    _shop(mysql)
    for number in range(1, 6):
        execute(mysql, f"SELECT n FROM users WHERE id = {number} AND n < 99")
        execute(mysql, f"SELECT u.n FROM users u JOIN users v ON v.n = u.id WHERE u.id IN ({number}, 3) LIMIT 4")
    execute(
        mysql, "UPDATE users SET n = 3 WHERE email = 'u1@example.org'", "SELECT sleep(0) FROM users WHERE n = 1 + 2"
    )
    _is_the_applications(mysql)


def test_the_applications_own_queries_as_pg_stat_statements_tells_them(
    make_database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # The server that is started with the extension's library.
    db: Database = make_database("postgresql15")
    _shop(db)
    execute(
        db,
        "CREATE SCHEMA extensions",
        "CREATE EXTENSION pg_stat_statements SCHEMA extensions",
        "SELECT extensions.pg_stat_statements_reset()",
    )
    for number in range(1, 6):
        execute(
            db,
            f"SELECT n FROM users WHERE id = {number} AND n < 99",
            f"SELECT u.n FROM users u JOIN users v ON v.n = u.id WHERE u.id IN ({number}, 3) LIMIT 4",
            f"UPDATE users SET n = 3 WHERE email = 'u{number}@example.org'",
            f"INSERT INTO users (email, n) VALUES ('more{number}@example.org', lower('{number}')::integer)",
            "SELECT relname FROM pg_class WHERE oid = 1259",
            # Of commands, the server keeps every word.
            "CREATE ROLE migkit_somebody PASSWORD 'hunter2'",
            "DROP ROLE migkit_somebody",
        )
    work = _is_the_applications(db)
    assert any(what.startswith("INSERT") and ":p2" in why for what, why in work.unchecked)
    assert not any("pg_class" in entry.sql for entry in work.entries)
    assert "hunter2" not in f"{caplog.text} {work.unchecked}"


def _is_the_applications(db: Database) -> Workload:
    work = resolved(workload_from_server(db), db)
    sqls = {entry.sql: entry for entry in work.entries}
    point = next(entry for sql, entry in sqls.items() if "AND" in sql and "JOIN" not in sql)
    assert point.weight >= 5 and len(point.parameters) == 2
    assert any("JOIN" in sql for sql in sqls) and any(sql.startswith("UPDATE") for sql in sqls)
    assert try_once(work, db).entries == work.entries
    return work


@pytest.mark.parametrize("engine", ["sqlite", "mariadb", "postgresql"])
def test_servers_that_keep_no_statistics_say_what_to_do(engine: str, make_database: Any) -> None:
    db = with_items(make_database(engine))
    with pytest.raises(UnsupportedFeature, match="workload='auto'"):
        workload_from_server(db)
