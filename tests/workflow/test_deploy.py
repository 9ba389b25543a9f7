"""Deploys: all clear, or taken back and identical to before, or said with what a person has to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migkit import verbs
from migkit.database import Database
from migkit.errors import DeployRunning, StateUnreadable
from migkit.frames import DEPLOY_STEPS
from migkit.progress import SILENT
from migkit.recovery.catalogue import list_backups
from migkit.recovery.journal import StepJournal, watched
from migkit.recovery.read_only import is_read_only
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.workflow.checklist import write_checklist
from migkit.workflow.deployment.execution import deploy
from migkit.workflow.deployment.planning import plan_deploy
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.evidence import load_evidence
from tests.faults.support import scalar, untouched
from tests.recovery.conftest import _tools_folder as _tools_folder
from tests.recovery.conftest import server_tools as server_tools
from tests.workflow.deploys import FAILING, GOOD, LOSING, deployed, migration, options, shop

pytestmark = pytest.mark.usefixtures("server_tools")


def steps(result: Deployment) -> list[tuple[str, str]]:
    return [(row["step"], row["status"]) for row in DEPLOY_STEPS.rows(result.steps)]


def settled(db: Database, folder: Path) -> None:
    """Nothing is left half done, and everybody may write."""
    assert StepJournal.unfinished(folder / "reports", folder / "backups") == []
    assert is_read_only(db) is False


@pytest.mark.slow
def test_all_clear_and_taken_back_on_every_engine(db: Database, tmp_path: Path) -> None:
    shop(db)
    good = deployed(db, tmp_path, GOOD)
    assert good.passed, good.explain()
    assert scalar(db, "SELECT count(*) FROM notes") == 0
    for source in (LOSING, FAILING):
        before = capture(db)
        bad = deployed(db, tmp_path, source)
        assert bad.status == "rolled back", repr(bad)
        assert compare(before, capture(db)).identical
    settled(db, tmp_path)


def test_all_clear(sqlite: Database, tmp_path: Path) -> None:
    result = deployed(shop(sqlite), tmp_path, GOOD)
    assert result.passed, result.explain()
    assert [step for step, status in steps(result) if status == "done"] == [
        "Checked",
        "Backed up, and verified",
        "Closed to writers",
        "Captured before",
        "Ran the migration",
        "Captured after",
        "Validated",
        "Open to writers again",
    ]
    [backup] = list_backups(tmp_path / "backups", sqlite)
    assert backup.id == result.backup
    assert backup.verified_at is not None
    settled(sqlite, tmp_path)
    assert result.evidence is not None
    loaded = load_evidence(result.evidence)
    assert isinstance(loaded, Deployment)
    assert (loaded.status, loaded.backup, steps(loaded)) == ("deployed", result.backup, steps(result))
    assert loaded.comparison is not None


def test_evidence_that_contradicts_itself_is_not_believed(sqlite: Database, tmp_path: Path) -> None:
    result = deployed(shop(sqlite), tmp_path, LOSING)
    assert result.evidence is not None
    manifest = result.evidence / "evidence.json"
    manifest.write_text(manifest.read_text().replace('"rolled back"', '"deployed"'))
    with pytest.raises(StateUnreadable, match="changed after the deployment"):
        load_evidence(result.evidence)


@pytest.mark.parametrize("strategy", ["backup", "pitr"])
def test_a_lost_row_comes_back(sqlite: Database, tmp_path: Path, strategy: str) -> None:
    before = capture(shop(sqlite))
    result = deployed(sqlite, tmp_path, LOSING, rollback={"strategy": strategy})
    assert result.status == "rolled back", repr(result)
    assert result.taken_back["strategy"] == strategy
    assert "lost 1 row" in str(result.error)
    assert compare(before, capture(sqlite)).identical
    settled(sqlite, tmp_path)


def test_a_way_down_that_leaves_something_is_not_called_rolled_back(sqlite: Database, tmp_path: Path) -> None:
    result = deployed(shop(sqlite), tmp_path, LOSING, rollback={"strategy": "down"})
    assert result.status == "failed"
    assert any(command.startswith("migkit restore-backup ") for command in result.commands)
    assert "users lost 1 row" in str(result.error)


@pytest.mark.parametrize(
    ("rollback", "why"),
    [({"enabled": False}, "switched off"), ({"triggers": ["timeout"]}, "none of the triggers")],
)
def test_nothing_is_taken_back_that_shall_not_be(
    sqlite: Database, tmp_path: Path, rollback: dict[str, object], why: str
) -> None:
    result = deployed(shop(sqlite), tmp_path, LOSING, rollback=rollback)
    assert result.status == "failed"
    assert why in str(result.error)
    assert result.commands
    assert scalar(sqlite, "SELECT count(*) FROM users") == 2


def test_a_hook_that_fails_stops_the_deploy_before_the_migration(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    hooks = {"stop": ["sh -c 'echo no such job; exit 3'"], "start": [f"touch {tmp_path / 'started'}"]}
    with untouched(sqlite):
        result = deployed(sqlite, tmp_path, GOOD, hooks=hooks)
    assert result.status == "stopped"
    assert "ended with code 3: no such job" in str(result.error)
    assert (tmp_path / "started").exists()
    settled(sqlite, tmp_path)


def test_hooks_run_while_writers_are_kept_out(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "hook.py").write_text(
        "import os, sqlite3, sys\n"
        f"base = {str(sqlite.engine.url.database)!r}\n"
        "try:\n"
        "    sqlite3.connect(base, timeout=0).execute('DELETE FROM orders WHERE id = 0')\n"
        "    told = 'open'\n"
        "except sqlite3.OperationalError:\n"
        "    told = 'closed'\n"
        f"told = ' '.join((sys.argv[1], told, os.environ['MIGKIT_MIGRATION']))\n"
        f"open({str(tmp_path / 'told')!r}, 'a').write(told + ';')\n"
    )
    command = f"python3 {tmp_path / 'hook.py'}"
    result = deployed(shop(sqlite), tmp_path, GOOD, hooks={"stop": [f"{command} stop"], "start": [f"{command} start"]})
    assert result.passed, result.explain()
    assert (tmp_path / "told").read_text() == "stop closed m;start open m;"


def test_without_a_rehearsal_it_is_refused(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    with untouched(sqlite):
        refused = deployed(sqlite, tmp_path, GOOD, rehearsal_hours=24)
    assert refused.status == "refused"
    assert "migkit rehearse" in str(refused.error)
    assert not (tmp_path / "backups").exists()


def test_a_rehearsal_of_the_very_same_file_is_asked_for(sqlite: Database, tmp_path: Path) -> None:
    path = migration(tmp_path, GOOD).path
    assert verbs.rehearse(path, shop(sqlite), reports=tmp_path / "reports", progress=SILENT).passed
    assert plan_deploy(migration(tmp_path, GOOD), sqlite, options(tmp_path, rehearsal_hours=24)).passed
    changed = plan_deploy(migration(tmp_path, GOOD + "\n"), sqlite, options(tmp_path, rehearsal_hours=24))
    assert not changed.passed
    too_old = plan_deploy(migration(tmp_path, GOOD), sqlite, options(tmp_path, rehearsal_hours=1e-9))
    assert not too_old.passed


def test_only_a_recent_verified_backup_counts(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    refused = deployed(sqlite, tmp_path, GOOD, backup="recent")
    assert refused.status == "refused"
    assert "There is a recent backup: none" in str(refused.error)
    made = verbs.backup(sqlite, directory=tmp_path / "backups", verify=True, progress=SILENT)
    result = deployed(sqlite, tmp_path, GOOD, backup="recent")
    assert result.passed, result.explain()
    assert result.backup == made.id


def test_a_failed_smoke_test_takes_it_back(sqlite: Database, tmp_path: Path) -> None:
    tests = [
        {"name": "three users", "sql": "SELECT count(*) FROM users", "expect": 3},
        {"name": "broken", "sql": "SELECT nothing FROM nowhere"},
        {"name": "a command", "command": "false"},
    ]
    before = capture(shop(sqlite))
    result = deployed(sqlite, tmp_path, GOOD, smoke_tests=tests)
    assert result.status == "rolled back", repr(result)
    assert result.smoke_tests["passed"].tolist() == [True, False, False]
    assert compare(before, capture(sqlite)).identical
    settled(sqlite, tmp_path)


def test_what_users_wrote_since_is_never_lost(sqlite: Database, tmp_path: Path) -> None:
    """A restore would lose it, so that only the way down is left; and then not all is as before."""
    script = tmp_path / "user.py"
    script.write_text(
        "import sqlite3\n"
        f"c = sqlite3.connect({str(sqlite.engine.url.database)!r})\n"
        "c.execute(\"INSERT INTO users VALUES (4, 'dee')\"); c.commit()\n"
        "raise SystemExit(1)\n"
    )
    command = f"python3 {script}"
    result = deployed(shop(sqlite), tmp_path, GOOD, smoke_tests=[{"name": "a user", "command": command}])
    assert result.status == "failed"
    tried = {one["strategy"]: one for one in result.taken_back["tried"]}
    assert "rows were written since" in tried["backup"]["why_not"]
    assert scalar(sqlite, "SELECT email FROM users WHERE id = 4") == "dee"
    assert result.commands


def test_a_lock_in_the_way_is_tried_again(postgresql: Database, tmp_path: Path) -> None:
    shop(postgresql)
    source = GOOD.replace("def up(op):", "def up(op):\n    op.execute('LOCK TABLE users IN ACCESS EXCLUSIVE MODE')")
    said = options(tmp_path, attempts=20, retry_seconds=0.2)
    with postgresql.engine.connect() as holder:
        loaded = migration(tmp_path, source)

        def free_later(_moment: str, _name: str) -> None:
            if (_moment, _name) == ("ended", "run"):
                holder.rollback()

        with watched(free_later):
            holder.exec_driver_sql("LOCK TABLE users IN SHARE MODE")
            result = deploy(loaded, postgresql, replace(said, lock_timeout=0.3))
    assert result.passed, repr(result)
    assert ("Ran the migration", "failed") in steps(result)
    assert ("Ran the migration, attempt 2", "done") in steps(result)


def test_two_deploys_at_once(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    with (
        sqlite.dialect.deploy_lock(sqlite.engine, "ann, process 1 on db1"),
        untouched(sqlite),
        pytest.raises(DeployRunning, match="ann, process 1 on db1 deploys"),
    ):
        deployed(sqlite, tmp_path, GOOD)
    assert not (tmp_path / "reports").exists()


# --- plan and runbook -------------------------------------------------------------------------------------------------


def test_a_plan_does_nothing(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    with untouched(sqlite):
        plan = plan_deploy(migration(tmp_path, GOOD), sqlite, options(tmp_path))
    assert plan.passed
    assert plan.steps["step"].tolist()[5] == "Run the migration"
    assert not (tmp_path / "backups").exists()
    assert not (tmp_path / "reports").exists()


def test_the_runbook_has_the_commands(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    loaded = migration(tmp_path, GOOD, "m<script>`x` y")
    said = options(tmp_path, hooks={"stop": ["kubectl scale deployment app --replicas=0"]})
    text = write_checklist(loaded, sqlite, said, plan_deploy(loaded, sqlite, said))
    for wanted in (
        "## Before: one week",
        "## Before: one day",
        "## During: the deploy",
        "## The way back",
        "## After: 24 hours",
        "`kubectl scale deployment app --replicas=0`",
        "migkit rollback ",
        "migkit restore-backup ID",
        "migkit recover",
    ):
        assert wanted in text, text
    assert "m<script>" not in text.splitlines()[0]
