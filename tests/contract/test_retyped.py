"""A change of type that keeps every value reads as intact, and one that loses is found and counted, on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT

# By family of engines: a column's type, its values as SQL, and the type it gets.
KEPT: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "postgresql": (
        ("timestamp", ("'2026-03-01 12:00'", "'2026-07-01 12:00:00.123456'", "NULL", "'infinity'"), "timestamptz"),
        ("timestamptz", ("'2026-03-01 12:00+00'", "'2026-07-01 12:00+05'", "NULL"), "timestamp"),
        (
            "timestamp",
            ("'2026-03-01 12:00'", "'2026-07-01 12:00'"),
            "timestamptz USING v AT TIME ZONE 'UTC'",
        ),
        ("bigint", ("9223372036854775807", "-1", "0", "NULL"), "numeric(30,4)"),
        ("numeric(12,2)", ("17.00", "-3", "0"), "integer"),
        ("integer", ("-2147483648", "0", "12"), "varchar(20)"),
        ("text", ("'5'", "'-17'", "'0'"), "integer USING v::integer"),
        ("date", ("'2026-02-28'", "NULL", "'infinity'"), "timestamp"),
        (
            "varchar(36)",
            ("'5f0c2a7e-1f0e-4a53-9d55-0a2f3d3b8a11'", "NULL"),
            "uuid USING v::uuid",
        ),
        ("uuid", ("'5f0c2a7e-1f0e-4a53-9d55-0a2f3d3b8a11'",), "text"),
        ("boolean", ("true", "false", "NULL"), "integer USING v::integer"),
        ("varchar(10)", ("'a '", "''", "NULL"), "text"),
    ),
    "mysql": (
        ("datetime", ("'2026-03-01 12:00:00'", "'2026-07-01 12:00:00'", "NULL"), "timestamp NULL"),
        ("timestamp NULL", ("'2026-03-01 12:00:00'", "'2026-07-01 12:00:00'", "NULL"), "datetime(6)"),
        ("datetime(3)", ("'2026-03-01 12:00:00.125'",), "timestamp(6) NULL"),
        ("bigint", ("9223372036854775807", "-9223372036854775808", "0", "NULL"), "decimal(30,4)"),
        ("bigint unsigned", ("18446744073709551615", "1"), "decimal(20,0)"),
        ("decimal(12,2)", ("17.00", "-3", "0"), "int"),
        ("int", ("-2147483648", "0", "12"), "varchar(20)"),
        ("varchar(20)", ("'5'", "'-17'", "'0'"), "int"),
        ("date", ("'2026-02-28'", "NULL"), "datetime"),
        ("tinyint(1)", ("1", "0", "NULL"), "int"),
        ("varchar(10)", ("'a '", "''", "NULL"), "text"),
    ),
}
LOST: dict[str, tuple[tuple[str, tuple[str, ...], str, int], ...]] = {
    "postgresql": (
        # The hour that the clock leaves out; the zone is set below.
        ("timestamp", ("'2026-03-29 02:30'", "'2026-03-29 12:00'"), "timestamptz", 1),
        ("numeric(12,2)", ("17.00", "-3.25", "0.5"), "integer", 2),
        ("numeric(12,3)", ("1.234", "1.5"), "numeric(12,1)", 1),
        ("text", ("'007'", "'7'", "'+8'"), "integer USING v::integer", 2),
        ("text", ("'abcdef'", "'abc'"), "varchar(3) USING left(v, 3)", 1),
        ("double precision", ("0.1", "0.5"), "real", 1),
        ("timestamptz", ("'2026-07-01 12:00+00'", "NULL"), "timestamp USING v AT TIME ZONE 'Asia/Tokyo'", 1),
    ),
    "mysql": (
        ("datetime(6)", ("'2026-03-01 12:00:00.5'", "'2026-03-01 12:00:00'"), "datetime", 1),
        ("decimal(12,2)", ("17.00", "-3.25", "0.75"), "int", 2),
        ("varchar(20)", ("'007'", "'7'"), "int", 1),
        ("double", ("0.1", "0.5"), "float", 1),
    ),
}


WHY_NOT_SQLITE = "values have types there, columns do not: another declared type changes no value"


@pytest.fixture
def berlin(db: Database) -> Database:
    """A database in a zone that no capture works in, as far as the engine has zones of its own for databases."""
    if db.dialect.name == "postgresql":
        _execute(db, f"ALTER DATABASE {db.engine.url.database} SET timezone TO 'Europe/Berlin'")
        db.engine.dispose()
    return db


def _execute(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _of(family: dict[str, Any], db: Database) -> Any:
    return family["postgresql" if db.dialect.name == "postgresql" else "mysql"]


def _fill(db: Database, table: str, declared: str, values: tuple[str, ...], key: bool = True) -> None:
    first = "id integer PRIMARY KEY" if key else "id integer"
    rows = ", ".join(f"({number}, {value})" for number, value in enumerate(values, 1))
    _execute(db, f"CREATE TABLE {table} ({first}, v {declared})", f"INSERT INTO {table} VALUES {rows}")


def _retype(db: Database, table: str, declared: str) -> None:
    verb = "ALTER v TYPE" if db.dialect.name == "postgresql" else "MODIFY v"
    _execute(db, "SET sql_mode = ''" if verb == "MODIFY v" else "SELECT 1", f"ALTER TABLE {table} {verb} {declared}")


@pytest.mark.excused("sqlite", why=WHY_NOT_SQLITE)
@pytest.mark.parametrize("key", [True, False], ids=["with a key", "without a key"])
def test_what_is_kept(berlin: Database, key: bool) -> None:
    cases = {f"t{number}": case for number, case in enumerate(_of(KEPT, berlin))}
    for table, (declared, values, _) in cases.items():
        _fill(berlin, table, declared, values, key)
    before = mk.capture(berlin, progress=SILENT)
    for table, (_, _, then) in cases.items():
        _retype(berlin, table, then)
    comparison = mk.compare(before, mk.capture(berlin, like=before, progress=SILENT))
    content = comparison.columns.set_index(["table", "column"])["content"]
    assert {table: content[table, "v"] for table in cases} == dict.fromkeys(cases, "retyped")
    assert comparison.passed, comparison.errors


@pytest.mark.slow
@pytest.mark.excused("sqlite", why=WHY_NOT_SQLITE)
def test_what_is_lost(berlin: Database, tmp_path: Path) -> None:
    cases = {f"t{number}": case for number, case in enumerate(_of(LOST, berlin))}
    verb = "ALTER v TYPE" if berlin.dialect.name == "postgresql" else "MODIFY v"
    for table, (declared, values, _, _) in cases.items():
        _fill(berlin, table, declared, values)
    script = tmp_path / "001_lose.sql"
    ups = "".join(f"ALTER TABLE {table} {verb} {then};\n" for table, (_, _, then, _) in cases.items())
    script.write_text(f"-- migrate:up\n{ups}")
    if berlin.dialect.name != "postgresql":
        script.write_text(f"-- migrate:up\nSET sql_mode = '';\n{ups}")
    trial = mk.rehearse(script, berlin, reports=tmp_path / "reports", progress=SILENT)
    assert trial.comparison is not None
    told = trial.comparison.columns.set_index(["table", "column"])["rows_changed"]
    assert {table: told[table, "v"] for table in cases} == {table: case[3] for table, case in cases.items()}
    assert not trial.passed


@pytest.mark.slow
@pytest.mark.excused("sqlite", why=WHY_NOT_SQLITE)
def test_beside_rows_that_went(berlin: Database, tmp_path: Path) -> None:
    declared, values, then = _of(KEPT, berlin)[0]
    _fill(berlin, "t", declared, values * 60)  # several rows to a segment
    verb = "ALTER v TYPE" if berlin.dialect.name == "postgresql" else "MODIFY v"
    script = tmp_path / "001_both.sql"
    script.write_text(f"-- migrate:up\nALTER TABLE t {verb} {then};\nDELETE FROM t WHERE id = 2;\n")
    trial = mk.rehearse(script, berlin, reports=tmp_path / "reports", progress=SILENT)
    assert trial.comparison is not None
    assert trial.comparison.columns.set_index("column").loc["v", ["content", "rows_changed"]].tolist() == ["retyped", 0]
    assert trial.comparison.tables["content"].tolist() == ["rows removed"]


@pytest.mark.slow
@pytest.mark.excused("sqlite", why=WHY_NOT_SQLITE)
def test_states_that_read_a_column_in_two_forms_are_not_called_changed(berlin: Database) -> None:
    declared, values, then = _of(KEPT, berlin)[3]
    _fill(berlin, "t", declared, values)
    before = mk.capture(berlin, progress=SILENT)
    _retype(berlin, "t", then)
    after, fresh = mk.capture(berlin, like=before, progress=SILENT), mk.capture(berlin, progress=SILENT)
    comparison = mk.compare(after, fresh)
    assert comparison.columns.set_index("column")["content"]["v"] == "not compared"
    assert not comparison.passed
    assert mk.compare(after, mk.capture(berlin, like=after, progress=SILENT)).passed
