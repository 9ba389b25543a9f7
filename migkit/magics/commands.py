"""``%migkit`` and ``%%migration``: parse, one call of a public verb, return what it returned."""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

import migkit as mk
from migkit.config import load_config
from migkit.errors import ConfigError
from migkit.magics.databases import database_names, named_database
from migkit.magics.parsing import HelpWanted, cell_parser, line_parser, split

_UP = re.compile(r"^--[ \t]*migrate:[ \t]*up\b", re.IGNORECASE | re.MULTILINE)


@magics_class
class MigkitMagics(Magics):  # type: ignore[misc, unused-ignore]
    """The magics; they remember the database that was connected last."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._notebook = shell
        self.database: mk.Database | None = None

    @line_magic
    def migkit(self, line: str) -> Any:
        """Rehearse migrations, and look at what they do.

        ::

            %migkit connect staging                reach a database; the magics after it use it
            %migkit snapshot before                capture its state into the variable `before`
            %migkit diff before after              compare two states (variables or files)
            %migkit rehearse migrations/001.py     prove a migration on a clone
            %migkit dry-run migrations/001.py      try it on an empty copy of the schema
            %migkit validate migrations/001.py     hold the database against what it promises
            %migkit explore                        show the panel

        A database is an alias of migkit.toml, a URL, a section of JupySQL's connections file, the alias of a connection
        that %sql has open, or a variable; `--on` names one for a single call. Each returns what the
        Python function of that name returns.
        """
        try:
            arguments = line_parser().parse_args(split(line))
        except HelpWanted as wanted:
            return print(wanted)
        return _VERBS[arguments.verb](self, arguments)

    @cell_magic
    def migration(self, line: str, cell: str) -> Any:
        """Run the SQL of a cell as a migration: first the way up, then `-- migrate:down` and the way down.

        ::

            %%migration --on staging --rehearse
            ALTER TABLE users ADD COLUMN nickname text;
            -- migrate:down
            ALTER TABLE users DROP COLUMN nickname;

        ``--rehearse`` proves it on a clone, ``--dry-run`` tries it on an empty copy of the schema, ``--down`` runs the
        way down; without any of them the way up is run on the database. ``--name NAME``, ``--allow WHAT``,
        ``--timeout SECONDS``; ``--confirm NAME`` where the database is protected.
        """
        try:
            arguments = cell_parser().parse_args(split(line))
        except HelpWanted as wanted:
            return print(wanted)
        db = self._database(arguments)
        with tempfile.TemporaryDirectory(prefix="migkit-cell-") as folder:
            path = _write(Path(folder), cell, arguments)
            if arguments.rehearse:
                return mk.rehearse(path, db, timeout=arguments.timeout)
            if arguments.dry_run:
                return mk.dry_run(path, db, timeout=arguments.timeout)
            run = mk.rollback if arguments.down else mk.run
            return run(path, db, timeout=arguments.timeout, confirm=arguments.confirm)

    # --- the verbs of the line ------------------------------------------------------------------------------------

    def _connect(self, arguments: argparse.Namespace) -> mk.Database:
        self.database = named_database(arguments.database, self._notebook)
        return self.database

    def _snapshot(self, arguments: argparse.Namespace) -> mk.State:
        if not arguments.name.isidentifier():
            raise UsageError(f"{arguments.name} is no name for a variable")
        state = mk.capture(self._database(arguments), rows=arguments.rows)
        self._notebook.user_ns[arguments.name] = state
        return state

    def _diff(self, arguments: argparse.Namespace) -> mk.Comparison:
        before, after = (self._notebook.user_ns.get(name, name) for name in (arguments.before, arguments.after))
        return mk.compare(before, after, allow=arguments.allow)

    def _rehearse(self, arguments: argparse.Namespace) -> mk.Rehearsal:
        return mk.rehearse(self._migration(arguments), self._database(arguments))

    def _dry_run(self, arguments: argparse.Namespace) -> Any:
        return mk.dry_run(self._migration(arguments), self._database(arguments))

    def _validate(self, arguments: argparse.Namespace) -> mk.Validation:
        return mk.validate(self._migration(arguments), self._database(arguments))

    def _explore(self, _arguments: argparse.Namespace) -> Any:
        return mk.explore(self.database)

    def _migration(self, arguments: argparse.Namespace) -> Any:
        held = self._notebook.user_ns.get(arguments.migration)
        return held if isinstance(held, mk.Migration) else arguments.migration

    def _database(self, arguments: argparse.Namespace) -> mk.Database:
        if arguments.on:
            return named_database(arguments.on, self._notebook)
        if self.database is not None:
            return self.database
        aliases = list(load_config().databases)
        if len(aliases) == 1:
            return named_database(aliases[0], self._notebook)
        raise ConfigError(
            "It is not said which database to use",
            next_step=f"%migkit connect NAME, or --on NAME. Known: {', '.join(database_names(self._notebook))}.",
        )


_VERBS = {
    "connect": MigkitMagics._connect,
    "snapshot": MigkitMagics._snapshot,
    "diff": MigkitMagics._diff,
    "rehearse": MigkitMagics._rehearse,
    "dry-run": MigkitMagics._dry_run,
    "validate": MigkitMagics._validate,
    "explore": MigkitMagics._explore,
}


def _write(folder: Path, cell: str, arguments: argparse.Namespace) -> Path:
    """Write the cell as a migration in one file; the same text is the same migration."""
    text = cell if _UP.search(cell) else f"-- migrate:up\n{cell}"
    name = arguments.name or f"cell_{hashlib.sha256(cell.encode()).hexdigest()[:8]}"
    if Path(name).name != name or name in (".", ".."):
        raise UsageError(f"{name} is no name for a migration")
    allowed = "".join(f"-- migkit: allow {what}\n" for what in arguments.allow)
    path = folder / f"{name}.sql"
    path.write_text(allowed + text, encoding="utf-8")
    return path
