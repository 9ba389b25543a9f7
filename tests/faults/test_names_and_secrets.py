"""Names and values are data, whatever they look like; secrets are in nothing that migkit leaves behind."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import sqlalchemy as sa

from migkit import verbs
from migkit.database import Database
from migkit.migration.journal import history
from migkit.progress import SILENT
from tests.faults.conftest import PASSWORD
from tests.faults.support import Door, address, execute, untouched

TABLE = 'order"; drop table x;--'
NAMES = (TABLE, "<script>alert(1)</script>", "Mixed.Case", "100% :sure", "ünï `tick`", "back\\slash'quote")
COLUMN = 'a:b%c <b>"x"\'y'


def _odd_shop(db: Database) -> None:
    quoted = db.dialect.quote
    for name in NAMES:
        execute(
            db,
            f"CREATE TABLE {quoted(name)} (id integer PRIMARY KEY, {quoted(COLUMN)} varchar(60))",
            f"INSERT INTO {quoted(name)} VALUES (1, '<img src=x onerror=alert(1)>'), (2, ':p %s %(x)s')",
        )
    execute(db, "CREATE TABLE x (id integer PRIMARY KEY)")


def _migration(db: Database, folder: Path) -> Path:
    quoted = db.dialect.quote
    up = [f"UPDATE {quoted(name)} SET {quoted(COLUMN)} = '<i>:é %</i>' WHERE id = 1;" for name in NAMES]
    up.append(f"CREATE INDEX {quoted('<ix>:%')} ON {quoted(NAMES[1])} ({quoted(COLUMN)});")
    (folder / "odd <b>.up.sql").write_text("-- <script>alert('description')</script>\n" + "\n".join(up))
    return folder / "odd <b>.up.sql"


def test_names_that_look_like_attacks(db: Database, folder: Path) -> None:
    _odd_shop(db)
    with untouched(db):
        trial = verbs.rehearse(_migration(db, folder), db, reports=False, progress=SILENT)
    assert trial.status == "failed", trial.explain()
    changed = " ".join(trial.findings["what"])
    for name in NAMES:
        assert name in changed, changed
    assert "<script" not in trial._repr_html_()


@pytest.mark.slow
def test_a_report_of_such_names(sqlite: Database, folder: Path, migkit: Door) -> None:
    _odd_shop(sqlite)
    told = migkit("rehearse", str(_migration(sqlite, folder)), "-d", address(sqlite), "--json")
    assert told.code == 1, told.err
    _require_harmless(Path(json.loads(told.out)["report"]))
    _require_harmless(folder / "reports" / "index.html")


def _require_harmless(page: Path) -> None:
    text = page.read_text()
    assert "<script" not in text.lower()
    assert "<img src=x" not in text
    assert "onerror=alert(1)>" not in re.sub(r"&lt;.*?&gt;", "", text)
    assert "<i>:" not in text
    assert "odd <b>" not in text
    assert html.escape("<script>alert(1)</script>") in text or "index" in page.name


def test_names_in_every_other_verb(db: Database, folder: Path) -> None:
    _odd_shop(db)
    path = _migration(db, folder)
    state = verbs.capture(db, progress=SILENT)
    assert set(NAMES) <= set(state.tables["table"])
    dry = verbs.dry_run(path, db, progress=SILENT)
    assert dry.up.succeeded, dry.up.error
    result = verbs.run(path, db, progress=SILENT)
    assert result.succeeded, result.error
    comparison = verbs.compare(state, verbs.capture(db, progress=SILENT))
    for shown in (state._repr_html_(), result._repr_html_(), comparison._repr_html_()):
        assert "<script" not in shown
        assert "<i>:" not in shown


# --- secrets ----------------------------------------------------------------------------------------------------------

HTML = "<script>alert('boom')</script>"


def _forms(secret: str) -> set[str]:
    escaped = json.dumps(secret)[1:-1]
    return {secret, quote(secret, safe=""), quote_plus(secret), quote(secret), html.escape(secret), escaped}


def _require_absent(secret: str, text: str, where: str) -> None:
    for form in _forms(secret):
        assert form not in text, f"{where} holds the secret as {form}"


def _require_absent_in(secret: str, folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        _require_absent(secret, path.read_text(errors="replace"), path.name)


LEAKING = """
metadata = {{"version": "001", "description": "uses {url}"}}
URL = {url!r}
def up(op):
    op.execute("CREATE TABLE leak (id integer PRIMARY KEY, note varchar(300) DEFAULT '{password}')")
    op.execute("INSERT INTO leak (id, note) VALUES (1, '{password}')")
    raise RuntimeError(f"could not reach {{URL}} {html}")
def down(op):
    op.execute("DROP TABLE leak")
"""


@pytest.fixture
def leaking(guarded: str, pg_shop: Database, folder: Path) -> str:
    """A migration that spells out the password of the database's URL, wherever one can."""
    execute(pg_shop, f"GRANT ALL ON SCHEMA public TO {guarded}", f"GRANT SELECT ON users, orders TO {guarded}")
    url = address(pg_shop, username=guarded, password=PASSWORD)
    (folder / "leak.py").write_text(LEAKING.format(url=url, password=PASSWORD, html=HTML))
    return url


@pytest.mark.slow
@pytest.mark.parametrize("command", [("rehearse",), ("run",), ("test",), ("test", "--dry-run"), ("--debug", "run")])
def test_a_failing_migration_that_tells_the_password(
    migkit: Door, leaking: str, folder: Path, command: tuple[str, ...], pg_shop: Database
) -> None:
    told = migkit(*command, "leak.py", "-d", leaking)
    assert told.code == 1, told.err
    assert "could not reach" in told.out
    _require_absent(PASSWORD, told.out, "the output")
    _require_absent(PASSWORD, told.err, "the error stream")
    if "rehearse" in command:
        _require_absent_in(PASSWORD, folder / "reports")
        [page] = (folder / "reports").glob("*/report.html")
        assert "<script" not in page.read_text().lower()
        assert html.escape(HTML, quote=False) in page.read_text()
    if "run" in command:
        _require_absent(PASSWORD, history(pg_shop).to_csv(), "the journal")
        with pg_shop.engine.connect() as connection:
            for row in connection.execute(sa.text("SELECT sql FROM migration_log_statements")):
                _require_absent(PASSWORD, str(row), "the journal of statements")


@pytest.mark.slow
def test_a_password_in_the_query_string(migkit: Door, pg_shop: Database, guarded: str, folder: Path) -> None:
    execute(pg_shop, f"GRANT pg_read_all_data TO {guarded}")
    url = pg_shop.engine.url.update_query_dict({"user": guarded, "password": PASSWORD}).set(username=None)
    text = url.render_as_string(hide_password=False)
    with untouched(pg_shop):
        told = migkit("rehearse", "add.py", "-d", text)
    assert told.code == 0, told.err
    _require_absent(PASSWORD, told.out + told.err, "the output")
    _require_absent_in(PASSWORD, folder / "reports")
    wrong = url.update_query_dict({"password": "wr0ng/+@%ü"}).render_as_string(hide_password=False)
    refused = migkit("--debug", "run", "add.py", "-d", wrong)
    assert refused.code == 2
    assert "Traceback" in refused.err
    _require_absent("wr0ng/+@%ü", refused.out + refused.err, "the traceback")


def test_a_password_in_a_capture(migkit: Door, leaking: str, folder: Path) -> None:
    assert migkit("snapshot", "one", "-d", leaking).code == 0
    state = verbs.capture(leaking, progress=SILENT)
    _require_absent(PASSWORD, repr(state) + state._repr_html_() + repr(verbs.load(state.save(folder / "s.json"))), "it")
    _require_absent(PASSWORD, (folder / "s.json").read_text(), "the saved state")
