"""The Alembic history that optuna ships, every revision rehearsed in order: what is wrong with it is found, no more.

Its downgrades were never held against the state before; migkit finds those that do not come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import optuna.storages._rdb as optuna_rdb
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.framing import plain

SHIPPED = Path(optuna_rdb.__file__).parent
INI = SHIPPED / "alembic.ini"

# revision → the findings that fail it on every engine; what only one engine has stands below.
HISTORY: dict[str, set[tuple[str, str]]] = {
    "v0.9.0.a": set(),
    "v1.2.0.a": set(),
    # Moves the numbers of trials from rows of an attribute table into a column.
    "v1.3.0.a": {("rows-lost", "trial_system_attributes")},
    # Moves directions and values into tables of their own; has no way down.
    "v2.4.0.a": {
        ("column-lost", "studies.direction"),
        ("column-lost", "trials.value"),
        ("column-lost", "trial_values.step"),
        ("data-changed", "trial_values.trial_id"),
        ("data-changed", "trial_values.value"),
    },
    "v2.6.0.a": set(),
    # Rewrites distributions; those that come back have one more attribute.
    "v3.0.0.a": {("data-changed", "trial_params.distribution_json"), ("left-behind", "down")},
    # The way down leaves trial_values.value NOT NULL.
    "v3.0.0.b": {("left-behind", "down")},
    # The way down names a class that does not exist.
    "v3.0.0.c": {("rollback-failed", "down")},
    "v3.0.0.d": set(),
    "v3.2.0.a": set(),
}
ONLY_ON: dict[str, dict[str, set[tuple[str, str]]]] = {
    "sqlite": {"v2.4.0.a": {("constraint-lost", "trial_values.unique(trial_id, step)")}},
    "postgresql": {
        # The way down leaves both enums, so the second way up finds them there.
        "v0.9.0.a": {("left-behind", "down"), ("up-again-failed", "up")},
        "v2.4.0.a": {
            ("constraint-lost", "trial_values.trial_values_trial_id_step_key"),
            ("index-lost", "trial_values.trial_values_trial_id_step_key"),
        },
    },
}

# What a study of the time looked like; written after the first revision.
STUDY = (
    "INSERT INTO studies (study_id, study_name, direction) VALUES (1, 'shallow', 'MINIMIZE'), (2, 'deep', 'MAXIMIZE')",
    "INSERT INTO trials (trial_id, study_id, state, value)"
    " VALUES (1, 1, 'COMPLETE', 0.5), (2, 1, 'COMPLETE', -1.25), (3, 2, 'COMPLETE', 42)",
    "INSERT INTO trial_params (param_id, trial_id, param_name, param_value, distribution_json) VALUES"
    ' (1, 1, \'x\', 0.25, \'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}\'),'
    ' (2, 2, \'n\', 3, \'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 1}}\')',
    "INSERT INTO trial_system_attributes (trial_system_attribute_id, trial_id, key, value_json)"
    " VALUES (1, 1, '_number', '0'), (2, 2, '_number', '1'), (3, 3, '_number', '0')",
    "INSERT INTO trial_values (trial_value_id, trial_id, step, value)"
    " VALUES (1, 1, 0, 0.75), (2, 1, 1, 0.5), (3, 2, 0, -1.25)",
)

pytestmark = [
    pytest.mark.slow,
    # Optuna's migrations use what its next version deprecates.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def write(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))


def errors(trial: mk.Rehearsal) -> set[tuple[str, str]]:
    failing = trial.findings[trial.findings["severity"] == "error"]
    return set(zip(plain(failing["id"]), plain(failing["where"]), strict=True))


def checksums() -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in SHIPPED.rglob("*.[pi][yn]*")}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_revision_is_judged(
    engine: str, make_database: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = checksums()
    db = make_database(engine)
    for revision, found_everywhere in HISTORY.items():
        if (engine, revision) == ("postgresql", "v2.4.0.a"):
            make_way_for_the_enum(db)
        expected = found_everywhere | ONLY_ON[engine].get(revision, set())
        trial = mk.rehearse(f"{INI}:{revision}", db, reports=False)
        assert errors(trial) == expected, f"{revision}: {trial.explain()}"
        assert trial.passed == (not expected)
        if revision == "v1.3.0.a":
            passes_once_declared(db, revision, tmp_path / "migkit.toml")
        assert mk.run(f"{INI}:{revision}", db).succeeded, revision
        if revision == "v0.9.0.a":
            write(db, *STUDY)
    assert checksums() == files
    optuna_can_read(db)


def make_way_for_the_enum(db: Database) -> None:
    """On PostgreSQL the revision cannot run as it is: it creates an enum that the first one created already."""
    trial = mk.rehearse(f"{INI}:v2.4.0.a", db, reports=False)
    assert errors(trial) == {("migration-failed", "up")}
    assert 'type "studydirection" already exists' in trial.explain()
    write(db, "ALTER TYPE studydirection RENAME TO studydirection_before")


def passes_once_declared(db: Database, revision: str, settings: Path) -> None:
    settings.write_text(
        f'[migrations.allow]\n"{revision}" = ["delete_rows:trial_system_attributes"]\n', encoding="utf-8"
    )
    trial = mk.rehearse(f"{INI}:{revision}", db, reports=False)
    settings.unlink()
    assert trial.passed, trial.explain()


def optuna_can_read(db: Database) -> None:
    storage = RDBStorage(db.engine.url.render_as_string(hide_password=False))
    try:
        assert storage.get_current_version() == storage.get_head_version() == "v3.2.0.a"
        assert [trial.values for trial in storage.get_all_trials(1)] == [[0.5], [-1.25]]
    finally:
        storage.engine.dispose()
