"""Commands about a database itself: who is connected, who may write, what is sound; each parses, calls, prints."""

from __future__ import annotations

import threading

import click

from migkit import frames, verbs
from migkit.cli.options import chosen_database, with_confirmation, with_database, with_json
from migkit.cli.output import exit_with, say, say_json
from migkit.display.lines import GOOD, WARN, Line
from migkit.display.tables import frame_text
from migkit.display.units import plural
from migkit.workflow.health import Health


@click.group()
def db() -> None:
    """Look at a database: connections, constraints, indexes, and who may write."""


@db.group("read-only")
def read_only() -> None:
    """Keep writers out, and let them in again."""


@read_only.command("on")
@click.option("--terminate", is_flag=True, help="End sessions that go on working.")
@click.option("--patience", type=click.FloatRange(min=0), help="Seconds to wait for them [default: 30].")
@click.option("--hold", is_flag=True, help="Stay until Ctrl-C, where read-only mode cannot outlive its process.")
@with_database
@with_confirmation
@with_json
def read_only_on(
    terminate: bool,
    patience: float | None,
    hold: bool,
    database: str | None,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Keep everybody but migkit from writing."""
    window = verbs.close_to_writers(
        chosen_database(database), terminate=terminate, patience=patience, hold=hold, confirm=confirm
    )
    if as_json:
        say_json({"database": window.database.name, "means": window.closed.means, "exempt": list(window.closed.exempt)})
    else:
        say(Line(GOOD, f"{window.database.name} is closed to writers: {window.closed.means}"))
        say(*(Line(WARN, f"can write all the same: {who}") for who in window.closed.exempt))
        if window.closed.ended:
            say(f"  {plural(window.closed.ended, 'session')} ended, so that nobody goes on writing")
    if hold and not window.lasts:
        _stay(as_json)
        window.open()


def _stay(as_json: bool) -> None:
    if not as_json:
        say("  Held until Ctrl-C.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


@read_only.command("off")
@click.option("--terminate", is_flag=True, help="End sessions that would go on being read-only.")
@with_database
@with_confirmation
@with_json
def read_only_off(terminate: bool, database: str | None, confirm: str | None, as_json: bool) -> None:
    """Let everybody write again."""
    name = chosen_database(database)
    opened = verbs.open_to_writers(name, terminate=terminate, confirm=confirm)
    if as_json:
        say_json({"ended": opened.ended, "stayed": opened.stayed})
        return
    say(Line(GOOD, "Open to writers again"))
    if opened.stayed:
        say(Line(WARN, f"{plural(opened.stayed, 'session')} stay read-only until they connect anew"))


@db.command()
@with_database
@with_json
def connections(database: str | None, as_json: bool) -> None:
    """List the other sessions on the database."""
    found = verbs.connections(chosen_database(database))
    if as_json:
        say_json({"connections": frames.CONNECTIONS.rows(found)})
        return
    say(Line(GOOD, "Nobody else is connected") if found.empty else f"{plural(len(found), 'other session')}:")
    if len(found):
        say(frame_text(found, limit=200, indent="  "))


@db.command("check-constraints")
@with_database
@with_json
def check_constraints(database: str | None, as_json: bool) -> None:
    """Count the rows that violate constraints, enforced and validated or not."""
    _say_health(verbs.check_constraints(chosen_database(database)), as_json)


@db.command("check-indexes")
@with_database
@with_json
def check_indexes(database: str | None, as_json: bool) -> None:
    """Find indexes that are invalid, damaged, or there twice."""
    _say_health(verbs.check_indexes(chosen_database(database)), as_json)


def _say_health(found: Health, as_json: bool) -> None:
    say_json(found.to_document()) if as_json else say(str(found))
    exit_with(found.passed)


COMMANDS = (db,)
