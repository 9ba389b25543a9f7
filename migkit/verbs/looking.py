"""Verbs that look: capture, compare, compare_rows, clone, load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import URL

from migkit.clone import scratch
from migkit.database import Database, reached
from migkit.display.progress import default_progress
from migkit.errors import StateUnreadable
from migkit.progress import Progress
from migkit.state import capture as capturing
from migkit.state import comparison, row_comparison
from migkit.state.comparison import Comparison
from migkit.state.row_results import DEFAULT_LIMIT, RowComparison
from migkit.state.snapshot import RowsMode, State, load_state
from migkit.verbs.arguments import AnyDatabase
from migkit.workflow.evidence import Evidence, load_evidence
from migkit.workflow.evidence_folder import MANIFEST


def capture(
    db: AnyDatabase,
    *,
    schemas: Sequence[str] | None = None,
    like: State | None = None,
    rows: RowsMode | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> State:
    """Capture everything that is true of a database at one instant; nothing is written.

    Parameters
    ----------
    db : str, URL, Engine or Database
        Alias, URL, engine or database.
    schemas : sequence of str, optional
        The schemas to look at; by default those that `like` looked at, else all that are not the engine's own.
    like : State, optional
        An earlier state of this database, whose keys and key ranges are used again.
    rows : {"exact", "sample", "estimate"}, optional
        Which rows to read; by default as `like` did, else all. ``"sample"`` counts every row, and digests about one key
        segment in sixteen of tables above 100,000 rows that have a key. ``"estimate"`` reads no row. What was not read
        is listed in ``unchecked`` of the state and of every comparison it takes part in; such a comparison can pass,
        and is never ``identical``.
    seed : int, optional
        What chooses the segments of a sample; by default 0. With `like`, its segments are read again.
    progress : Progress, optional
        Where to tell how far it is; by default a bar or lines on the standard error stream.

    Returns
    -------
    State
        Frames ``tables``, ``columns``, ``constraints``, ``indexes``, ``objects``, ``orphans``, ``segments`` and
        ``unchecked``; columns, dtypes and units are described in :mod:`migkit.frames`.

    Raises
    ------
    CaptureFailed
        If the connection is lost, or a table is changed or dropped meanwhile.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.capture("sqlite://").total_rows
    0
    """
    with reached(db) as database:
        return capturing.capture(
            database, schemas=schemas, like=like, rows=rows, seed=seed, progress=progress or default_progress()
        )


def compare(before: State | str | Path, after: State | str | Path, *, allow: Iterable[str] = ()) -> Comparison:
    """Hold two states side by side.

    Parameters
    ----------
    before, after : State, str or Path
        States, or files they were saved to.
    allow : iterable of str
        Intended destruction, as ``metadata["allow"]`` declares it.

    Returns
    -------
    Comparison
        ``passed`` if nothing was lost or damaged beyond `allow`; ``identical`` if nothing differs. Frames ``tables``,
        ``columns``, ``constraints``, ``indexes``, ``objects``, ``orphans`` and ``findings``
        (:mod:`migkit.frames.comparisons`).

    Raises
    ------
    NotComparable
        If the states are of different engines.
    StateUnreadable
        If a file is missing, damaged, or of a later version.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.compare(mk.capture("sqlite://"), mk.capture("sqlite://")).identical
    True
    """
    return comparison.compare(_state(before), _state(after), allow=allow)


def compare_rows(
    a: AnyDatabase,
    b: AnyDatabase,
    table: str,
    *,
    columns: Sequence[str] | None = None,
    key: Sequence[str] | None = None,
    limit: int = DEFAULT_LIMIT,
    across: bool = False,
    progress: Progress | None = None,
) -> RowComparison:
    """Find the rows of a table that differ between two databases: a clone after a migration, and its source.

    Digests of key ranges are computed inside both servers; those that differ are narrowed until few rows remain.

    Parameters
    ----------
    a, b : str, URL, Engine or Database
        The databases; only read, each at one instant. Rows that only `b` has are *added*.
    table : str
        The table; ``schema.table`` outside the default schema.
    columns : sequence of str, optional
        Compare only these; by default all that both tables have, the others being listed in ``unchecked``.
    key : sequence of str, optional
        Tell rows apart by these unique columns, by default the table's key; by whole rows if empty, or without a key.
    limit : int
        Rows whose values are fetched; all that differ are counted.
    across : bool
        Compare the values of all rows in a form engines have in common, numbers digit by digit. Much slower.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    RowComparison
        ``identical``, ``added``, ``removed``, ``changed``, and the frame ``rows``
        (:data:`migkit.frames.ROW_DIFFERENCES`).

    Raises
    ------
    NotComparable
        If the engines differ without `across`, there is no such table or column, or a key holds NULLs or is not unique.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.compare_rows("source", "copy", "users").identical  # doctest: +SKIP
    True
    """
    with reached(a) as left, reached(b) as right:
        return row_comparison.compare_rows(
            left,
            right,
            table,
            columns=columns,
            key=key,
            limit=limit,
            across=across,
            progress=progress or default_progress(),
        )


def clone(
    source: AnyDatabase,
    *,
    into: str | URL | Database | None = None,
    schema_only: bool = False,
    progress: Progress | None = None,
) -> Database:
    """Copy a database into a scratch database of its own; the source is only read.

    Parameters
    ----------
    source : str, URL, Engine or Database
        What to copy.
    into : str, URL or Database, optional
        The server to make the copy on.
    schema_only : bool
        Copy no rows.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Database
        The copy; dropped by its ``drop()``, or at the end of a ``with`` block.

    Raises
    ------
    CloneFailed
        If the copy cannot be made; nothing is left behind.

    Examples
    --------
    >>> import migkit as mk
    >>> with mk.clone("staging") as copy:  # doctest: +SKIP
    ...     mk.run("migrations/001_add_user_profile.py", copy)
    """
    with reached(source) as db:
        return scratch.clone(db, into=into, schema_only=schema_only, progress=progress or default_progress())


def load(path: str | Path) -> State | Evidence:
    """Open a saved state or an evidence folder; no database is needed.

    Parameters
    ----------
    path : str or Path
        A file that ``State.save`` wrote, or an evidence folder.

    Returns
    -------
    State, or what the evidence is of
        What was saved: a :class:`State`, :class:`Rehearsal`, :class:`LoadResult`, :class:`Deployment`, …

    Raises
    ------
    StateUnreadable
        If it is missing, damaged, or of a later version.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.load("before.json.zst").tables  # doctest: +SKIP
    >>> mk.load("reports/2026-11-22T063000Z-001_add_user_profile-rehearsal-7f3a").passed  # doctest: +SKIP
    True
    """
    path = Path(path)
    if path.is_dir() or path.name == MANIFEST:
        if not (path if path.is_file() else path / MANIFEST).is_file():
            raise StateUnreadable("This folder holds no evidence", where=str(path))
        return load_evidence(path)
    return load_state(path)


def _state(state: State | str | Path) -> State:
    return state if isinstance(state, State) else load_state(state)
