"""``migkit demo``: a shop with a million rows, and two migrations rehearsed on a clone of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from migkit import embedded, frames, verbs
from migkit.cli.documents import rehearsal_document
from migkit.cli.options import with_json
from migkit.cli.output import RULE, say, say_json
from migkit.cli.shop import build_shop, copy_migrations
from migkit.database import Database, connect
from migkit.dialects import dialect_for
from migkit.display.lines import BAD, GOOD, WARN, Line
from migkit.display.progress import default_progress
from migkit.display.units import count, duration
from migkit.framing import plain
from migkit.progress import Progress
from migkit.workflow.rehearsal import Rehearsal, Status

SHOP_NAME = "migkit_shop"
# What the demo is to show: a migration that can be taken back, and one that looks as if it could.
EXPECTED: dict[str, Status] = {"001_add_user_profile": "passed", "002_add_email_verification": "failed"}

# The statement of the second migration that no way down can undo.
OVERWRITES = "SET email = lower(email)"

DONE, NOT_AS_EXPECTED = 0, 2


@dataclass(frozen=True)
class _Shown:
    """One rehearsal of the demo, and the page that tells of it."""

    trial: Rehearsal
    report: Path

    @property
    def name(self) -> str:
        return str(self.trial.migration["name"])

    @property
    def as_expected(self) -> bool:
        return self.trial.status == EXPECTED[self.name]


@dataclass(frozen=True)
class _Shop:
    """Where a shop is, and what to type after ``--database`` to reach it again."""

    db: Database
    target: str


def _on_embedded_server(_: Path) -> _Shop:
    home = embedded.server_url()
    dialect = dialect_for(home)
    dialect.drop_scratch(home.set(database=SHOP_NAME))
    return _Shop(connect(dialect.create_scratch(home, SHOP_NAME)), f"embedded:{SHOP_NAME}")


def _in_file(folder: Path) -> _Shop:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{SHOP_NAME}.db"
    for leftover in folder.glob(f"{path.name}*"):
        leftover.unlink()
    path.touch()
    return _Shop(connect(f"sqlite:///{path.as_posix()}"), f"sqlite:///{path.as_posix()}")


_OPENERS: dict[str, Callable[[Path], _Shop]] = {"postgresql": _on_embedded_server, "sqlite": _in_file}


@click.command()
@click.option(
    "--engine",
    type=click.Choice(sorted(_OPENERS)),
    default="postgresql",
    show_default=True,
    help="Where the shop is built: on a private PostgreSQL, or in a SQLite file.",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True, max=2),
    default=1.0,
    show_default=True,
    help="Size of the shop; 1 is 200,000 users and 500,000 orders.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where demo/ and reports/ go [default: here].",
)
@with_json
def demo(engine: str, scale: float, directory: Path, as_json: bool) -> None:
    """Build a shop, rehearse two migrations on a clone of it, and archive a report of each."""
    code = run_demo(engine, directory, default_progress(), scale=scale, as_json=as_json)
    if code != DONE:
        raise click.exceptions.Exit(code)


def run_demo(engine: str, directory: Path, progress: Progress, *, scale: float = 1.0, as_json: bool = False) -> int:
    """Build the shop, rehearse the migrations that come with it, archive their reports, say what was seen.

    Parameters
    ----------
    engine : str
        ``postgresql`` (the private server) or ``sqlite`` (a file).
    directory : Path
        Where ``demo/`` (the migrations, the SQLite file) and ``reports/`` go.
    progress : Progress
        Told about every step.
    scale : float
        Size of the shop.
    as_json : bool
        Say it as one JSON document.

    Returns
    -------
    int
        0 if the first migration passed and the second failed, as they should; else 2.
    """
    folder = directory / "demo"
    migrations = copy_migrations(folder / "migrations")
    shop = _OPENERS[engine](folder)
    try:
        build_shop(shop.db, scale=scale, progress=progress)
        shown = [_show(migration, shop.db, directory / "reports", progress) for migration in migrations]
    finally:
        shop.db.close()
        progress.close()
    if as_json:
        say_json(_document(shown, shop))
    else:
        _say_result(shown, shop, migrations, directory / "reports")
    return DONE if all(one.as_expected for one in shown) else NOT_AS_EXPECTED


def _show(migration: Path, db: Database, archive: Path, progress: Progress) -> _Shown:
    progress.note("·", f"Rehearsing {migration.name} on a clone of {db.name}")
    trial = verbs.rehearse(migration, db, reports=archive, progress=progress)
    progress.begin(f"Making the report of {migration.name}")
    return _Shown(trial, verbs.report(trial))


def _document(shown: list[_Shown], shop: _Shop) -> dict[str, object]:
    rehearsals = [rehearsal_document(one.trial) | {"report": str(one.report)} for one in shown]
    return {"database": shop.target, "as_expected": all(one.as_expected for one in shown), "rehearsals": rehearsals}


def _say_result(shown: list[_Shown], shop: _Shop, migrations: list[Path], archive: Path) -> None:
    say("", RULE, f"REHEARSED ON A CLONE OF {shop.db.name} ({shop.db.server})", RULE)
    for one in shown:
        _say_verdict(one)
    say("", f"All reports: {archive / 'index.html'}", f"The migrations: {migrations[0].parent}", "")
    _say_next(migrations[-1], shop.target)


def _say_verdict(one: _Shown) -> None:
    findings = one.trial.findings
    warnings = plain(findings.loc[findings["severity"] == "warning", "what"])
    say("", Line(GOOD if one.trial.passed else BAD, one.trial.explain()))
    say(*_lesson(one.trial))
    say(*(f"  {Line(WARN, text)}" for text in warnings))
    say(f"  Took {duration(one.trial.seconds)}. Report: {_from_here(one.report)}")
    if not one.as_expected:
        say(Line(BAD, f"The demo expected {one.name} to be {EXPECTED[one.name]}, and it is {one.trial.status}."))


def _lesson(trial: Rehearsal) -> list[str]:
    """Return what the second migration teaches, where it did what it was written for."""
    if trial.up is None:
        return []
    overwrites = [row for row in frames.STATEMENTS.rows(trial.up.statements) if OVERWRITES in row["sql"]]
    return [
        f"  Its up() wrote {count(row['rows'])} addresses in lower case; its down() cannot know what they were before."
        for row in overwrites
    ]


def _say_next(second: Path, target: str) -> None:
    say(
        "What to type next:",
        f"  Let the second one's down() restore what its up() overwrites ({second}), and see it pass:",
        f"    {_program()} rehearse {shlex.quote(str(second))} --database {shlex.quote(target)}",
        "  Your own migration, on a clone of your own database, which is only read:",
        f"    {_program()} rehearse MIGRATION --database postgresql://USER@HOST/NAME",
    )
    if Path("notebooks/tutorial").is_dir():
        say("  Learn it by doing, in JupyterLab:", "    make lab")


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _program() -> str:
    """Return how to call migkit from here: by its path in a checkout, whose environment may not be active."""
    local = Path(".venv/bin/migkit")
    return str(local) if local.is_file() else "migkit"
