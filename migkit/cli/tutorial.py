"""``migkit tutorial``: the pages to learn from, in a folder of one's own, opened in JupyterLab."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from migkit.cli.output import say
from migkit.display.lines import GOOD, NOTE, WARN, Line
from migkit.errors import ConfigError, MissingExtra

FIRST_PAGE = "01_understanding.ipynb"

_SHIPPED = Path(__file__).parent / "tutorial_pages"
_CHECKED_OUT = Path(__file__).parents[2] / "notebooks" / "tutorial"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("migkit-tutorial"))
@click.option(
    "--engine",
    type=click.Choice(["postgresql", "sqlite"]),
    help="What the pages run on: a private PostgreSQL, or SQLite files [default: postgresql].",
)
@click.option("--copy-only", is_flag=True, help="Copy the pages and stop.")
@click.option("--no-browser", is_flag=True, help="Start JupyterLab without opening a browser; it prints its address.")
def tutorial(folder: Path, engine: str | None, copy_only: bool, no_browser: bool) -> None:
    """Copy the tutorial into FOLDER and open it in JupyterLab.

    Pages that are there already are left as they are, with whatever was written into them.
    """
    copied, kept = copy_pages(folder)
    say(Line(GOOD, f"The tutorial is in {folder}: {len(copied)} files copied"))
    if kept:
        say(Line(WARN, f"Kept as they are, though they differ from the original: {', '.join(kept)}"))
    command = lab_command(folder, browser=not no_browser)
    if copy_only:
        say(Line(NOTE, f"Open it with: jupyter lab {folder}"))
        return
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtra("jupyterlab", "lab", "Opening the tutorial")
    code = _run(command, os.environ | ({"MIGKIT_TUTORIAL_ENGINE": engine} if engine else {}))
    if code > 0:
        raise ConfigError(
            f"JupyterLab ended with code {code}",
            next_step=f"See what it printed above; the pages are in {folder}.",
        )


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run JupyterLab to its end. Ctrl-C is for JupyterLab, which asks back and ends its kernels."""
    usual = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, usual)


def copy_pages(folder: Path) -> tuple[list[str], list[str]]:
    """Copy the pages of the tutorial into a folder.

    Parameters
    ----------
    folder : Path
        The folder; made if needed.

    Returns
    -------
    tuple of list of str
        The files that were copied, and those that were there already and differ; the latter are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copied, kept = [], []
    for page in pages():
        target, content = folder / page.name, page.read_bytes()
        if not target.exists():
            target.write_bytes(content)
            copied.append(page.name)
        elif target.read_bytes() != content:
            kept.append(page.name)
    return copied, kept


def pages() -> list[Path]:
    """Return the files the tutorial consists of, in the wheel or in a checkout."""
    source = next((folder for folder in (_SHIPPED, _CHECKED_OUT) if folder.is_dir()), None)
    if source is None:
        raise ConfigError("This installation came without the tutorial", next_step="Install migkit from a wheel.")
    return sorted([*source.glob("*.ipynb"), *source.glob("*.py")])


def lab_command(folder: Path, *, browser: bool) -> list[str]:
    """Return the command that opens JupyterLab on the first page in a folder.

    Parameters
    ----------
    folder : Path
        Where the pages are.
    browser : bool
        Open a browser, too.
    """
    command = [sys.executable, "-m", "jupyterlab", str(folder), f"--LabApp.default_url=/lab/tree/{FIRST_PAGE}"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container everybody is root, and JupyterLab listens on loopback only.
        command.append("--allow-root")
    return command
