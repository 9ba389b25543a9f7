"""A migration under load: what each statement went through, who held it up, and what the new schema breaks."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import migkit as mk
from migkit.cli.program import program
from migkit.database import Database
from migkit.errors import StateUnreadable
from migkit.load.results import LoadResult
from migkit.load.workload import Statement, Workload
from tests.load.support import BOTH, READ, READS, Told, cell, put_load, with_items

NAMED = Statement("SELECT name FROM items WHERE id = :id", "named", 2, {"id": range(1, 200)})
# Something that keeps the table from readers for a moment, where the engine has that.
HELD = {
    "postgresql": "ALTER TABLE items DROP COLUMN name;\nSELECT pg_sleep(0.8);\n",
    "sqlite": "ALTER TABLE items DROP COLUMN name;\n",
    "mysql": "ALTER TABLE items DROP COLUMN name, ALGORITHM=COPY, LOCK=EXCLUSIVE;\n",
    "mariadb": "ALTER TABLE items DROP COLUMN name, ALGORITHM=COPY, LOCK=EXCLUSIVE;\n",
}
BACK = "ALTER TABLE items ADD COLUMN name varchar(60);\n"


@pytest.fixture
def migration(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    engine = request.getfixturevalue("db").dialect.name if "db" in request.fixturenames else "postgresql"
    path = tmp_path / "002_drop_name.sql"
    path.write_text(f"-- migrate:up\n{HELD[engine]}-- migrate:down\n{BACK}")
    return path


def test_a_migration_under_load(postgresql: Database, migration: Path, tmp_path: Path) -> None:
    told = Told()
    work = Workload.of(READ, NAMED, name="mine")
    result = mk.load_test(
        with_items(postgresql), work, migration, clients=4, rate=100, warm_up=0.2, duration=1.5, with_rollback=True,
        progress=told,
    )  # fmt: skip
    _names_the_culprit(result)
    _lists_what_broke(result)
    _outlives_its_process(result, tmp_path)
    _draws_itself(result)
    assert [phase.name for phase in result.phases] == ["baseline", "during", "after", "rollback", "rolled back"]
    assert result.rollback_run is not None and result.rollback_run.succeeded
    assert {fact["statement"] for fact in told.facts} == {""} and len(told.facts) >= 3
    with postgresql.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(name) FROM items").scalar() == 200, "the source was touched"


def _names_the_culprit(result: LoadResult) -> None:
    assert result.run is not None and result.run.succeeded
    assert cell(result, "during", "read", "max_ms") > 700 and cell(result, "during", "read", "blocked_ms") > 700
    sentence = next(one for one in result.verdict if one.startswith("read: "))
    assert "blocked by ALTER TABLE items (AccessExclusiveLock)" in sentence and " ms → " in sentence


def _lists_what_broke(result: LoadResult) -> None:
    assert result.status == "failed"
    assert {(row["phase"], row["statement"]) for row in result.errors.to_dict("records")} >= {("after", "named")}
    assert set(result.errors["kind"]) == {"42703"} and "rolled back" not in set(result.errors["phase"])
    assert cell(result, "after", "named", "done") == 0 < cell(result, "rolled back", "named", "done")
    sentence = next(one for one in result.verdict if one.startswith("named fails: "))
    assert 'column "name" does not exist' in sentence and "after it" in sentence


def _outlives_its_process(result: LoadResult, folder: Path) -> None:
    again = LoadResult.load(result.save(folder / "load.json.zst"))
    assert again.to_document() == result.to_document()
    assert repr(again) == repr(result)
    document = result.to_document()
    for damage in ({"format": "x"}, {"version": 99}, {"runs": 3}):
        with pytest.raises(StateUnreadable):
            LoadResult.from_document(document | damage)


def _draws_itself(result: LoadResult) -> None:
    assert "AccessExclusiveLock" in repr(result) and "failed" in repr(result)
    assert "<details" in result._repr_html_()
    assert result.plot().axes


@pytest.mark.slow
def test_a_harmless_migration_passes(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "001_new.sql"
    path.write_text("CREATE TABLE others (id integer PRIMARY KEY);\n")
    result = put_load(with_items(db), BOTH, migration=path, rate=40.0, duration=1.0)
    assert result.passed, result.explain()
    assert result.run is not None and result.run.succeeded and not len(result.errors)
    assert set(result.statements["phase"]) >= {"baseline", "after"}
    done = result.statements[result.statements["phase"] == "baseline"]["done"].sum()
    assert done == pytest.approx(40 * result.phases[0].seconds, rel=0.2)
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM others").scalar() == 0, "here=True is here"


@pytest.mark.slow
@pytest.mark.excused("postgresql", why="shown in full above")
def test_a_dropped_column_on_every_engine(db: Database, migration: Path) -> None:
    work = Workload.of(READ, NAMED)
    result = put_load(with_items(db), work, migration=migration, duration=1.5, with_rollback=True)
    assert result.status == "failed" and result.run is not None and result.run.succeeded
    assert cell(result, "after", "named", "done") == 0 < cell(result, "rolled back", "named", "done")
    assert cell(result, "after", "read", "errors") == 0


@pytest.mark.slow
def test_without_a_rate_half_the_capacity_is_asked_for(sqlite: Database) -> None:
    result = put_load(with_items(sqlite), rate=None, clients=2)
    assert result.rate is not None and result.rate > 50 and result.arrivals == "constant"


def test_limits_decide(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "001_drop.sql"
    path.write_text("-- migkit: limits max_errors=1000000\nALTER TABLE items DROP COLUMN name;\n")
    tolerant = put_load(with_items(sqlite), Workload.of(NAMED), migration=path, rate=40.0, duration=0.5)
    assert len(tolerant.errors) and tolerant.passed, tolerant.explain()


@pytest.mark.slow
def test_workers_may_be_tasks_of_an_executor(sqlite: Database) -> None:
    with ThreadPoolExecutor(4) as executor:
        result = put_load(
            with_items(sqlite), executor=executor, processes=2, duration=5.0, rate=40.0, warm_up=0.5, clients=4
        )
    assert result.status == "passed", result.explain()
    assert cell(result, "baseline", "read", "done") > 100


@pytest.mark.slow
def test_workers_spread_over_a_cluster(postgresql: Database, migration: Path) -> None:
    from distributed import Client, LocalCluster

    with_items(postgresql)
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        result = put_load(
            postgresql,
            Workload.of(READ, NAMED),
            migration=migration,
            executor=client.get_executor(),
            processes=2,
            duration=6.0,
            warm_up=2.0,
        )
    assert result.run is not None and result.run.succeeded
    assert cell(result, "baseline", "read", "done") > 100
    assert cell(result, "after", "named", "errors") > 0


def test_the_command(sqlite: Database, tmp_path: Path) -> None:
    with_items(sqlite)
    work = tmp_path / "work.sql"
    work.write_text("-- migkit: name by id\n-- migkit: param id sample items.id\nSELECT n FROM items WHERE id = :id;\n")
    common = ["load-test", "-d", str(sqlite.engine.url), "-w", str(work), "--duration", "0.5", "--warm-up", "0.1"]
    saved = tmp_path / "saved.json"
    done = CliRunner().invoke(program, [*common, "--rate", "40", "--save", str(saved), "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["passed"] and document["statements"][0]["statement"] == "by id"
    assert LoadResult.load(saved).passed
    drop = tmp_path / "001_drop.sql"
    drop.write_text("DROP TABLE items;\n")
    done = CliRunner().invoke(program, [*common, "--rate", "40", str(drop)], standalone_mode=False)
    assert done.return_value == 1, done.output
    assert "by id fails: no such table: items" in done.output
    with sqlite.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM items").scalar() == 200


def test_reads_alone_leave_the_clone_as_it_is(sqlite: Database) -> None:
    assert mk.load_test(with_items(sqlite), READS, rate=20, duration=0.3, warm_up=0, clients=1).passed
