"""``%load_ext migkit``: ``%migkit`` and ``%%migration`` for notebooks; each wraps one public verb."""

from __future__ import annotations

from typing import Any

from migkit.magics.commands import MigkitMagics
from migkit.magics.completion import complete_migkit, complete_migration


def load_ipython_extension(ipython: Any) -> None:
    """Register the magics and their completion; what ``%load_ext migkit`` calls.

    Parameters
    ----------
    ipython : InteractiveShell
        The shell.
    """
    ipython.register_magics(MigkitMagics(ipython))
    ipython.set_hook("complete_command", complete_migkit, str_key="%migkit")
    ipython.set_hook("complete_command", complete_migration, str_key="%%migration")
