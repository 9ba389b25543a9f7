"""The program: its commands, and what it does with errors."""

from __future__ import annotations

import sys
import traceback

import click

from migkit import __version__
from migkit.cli import (
    backup_commands,
    commands,
    db_commands,
    demo,
    deploy_commands,
    fleet_commands,
    load_commands,
    pitr_commands,
    watch_commands,
)
from migkit.cli.output import complain
from migkit.cli.tutorial import tutorial
from migkit.errors import MigkitError
from migkit.redaction import redact

CANNOT_WORK = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="migkit")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def program(context: click.Context, debug: bool) -> None:
    """Test database schema migrations before they reach production.

    What will this migration do to this database, who will wait for it, and can I take it back?
    """
    context.obj = {"debug": debug}


for command in (
    demo.demo,
    tutorial,
    commands.test,
    commands.run,
    commands.validate,
    commands.rollback,
    commands.snapshot,
    commands.compare_snapshots,
    commands.compare_rows,
    commands.rehearse,
    commands.report,
    fleet_commands.fleet,
    load_commands.load_test,
    watch_commands.monitor,
    *backup_commands.COMMANDS,
    *db_commands.COMMANDS,
    *deploy_commands.COMMANDS,
    *pitr_commands.COMMANDS,
):
    program.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = program.main(arguments, prog_name="migkit", standalone_mode=False)
    except click.exceptions.Abort:
        code = _fail("Interrupted; nothing is proven.", arguments)
    except click.ClickException as error:
        error.show()
        code = CANNOT_WORK
    except KeyboardInterrupt:
        code = _fail("Interrupted; nothing is proven.", arguments)
    except MigkitError as error:
        code = _fail(str(error), arguments)
    except BrokenPipeError:
        # Whoever read the output has left; that is not an error of ours.
        sys.stderr.close()
        code = CANNOT_WORK
    except Exception as error:
        told = redact(f"{type(error).__name__}: {error}")
        code = _fail(f"{told}. This is a fault in migkit; --debug shows where.", arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, arguments: list[str]) -> int:
    if "--debug" in arguments:
        click.echo(redact(traceback.format_exc()), err=True)
    complain(message)
    return CANNOT_WORK
