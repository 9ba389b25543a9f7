"""What the index tells of each run, read from its evidence; a broken folder is listed as unreadable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migkit import storage
from migkit.display.lock_lanes import merged_locks
from migkit.errors import StateUnreadable
from migkit.frames import LOCKS, TABLES
from migkit.workflow.evidence_folder import MANIFEST, REHEARSAL

STATE_LIMIT_BYTES = 20_000_000
REPORT_FILE = "report.html"


@dataclass(frozen=True)
class RunEntry:
    """One run of the archive.

    Parameters
    ----------
    folder : str
        The folder's name, relative to the archive.
    status : str
        As the evidence says; ``unreadable`` where it cannot be read.
    migration, database, engine : str
        What was rehearsed, and on what.
    started_at : datetime or None
        When, in UTC.
    seconds : float or None
        How long it took.
    lock_ms : float or None
        The longest lock that kept others from writing.
    rows : int or None
        Rows of the database.
    has_report : bool
        Whether there is a page to open.
    problem : str
        Why it cannot be read.
    kind : str
        What was done: ``rehearsal``, ``load-test``, ``fleet``, ``deployment``.
    """

    folder: str
    status: str
    migration: str = ""
    database: str = ""
    engine: str = ""
    started_at: datetime | None = None
    seconds: float | None = None
    lock_ms: float | None = None
    rows: int | None = None
    has_report: bool = False
    problem: str = ""
    kind: str = REHEARSAL


def read_runs(archive: Path) -> list[RunEntry]:
    """Return every run of an archive, newest first, the unreadable ones last."""
    folders = [path for path in archive.iterdir() if path.is_dir() and not path.name.startswith(".")]
    entries = [_entry(folder) for folder in sorted(folders) if _is_run(folder)]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(entries, key=lambda entry: (entry.started_at or oldest, entry.folder), reverse=True)


def _is_run(folder: Path) -> bool:
    """Whether a folder is, or was meant to be, a run: others in the archive are nobody's business."""
    return (folder / MANIFEST).exists() or folder.name[:4].isdigit()


def _entry(folder: Path) -> RunEntry:
    try:
        document = storage.read_json(folder / MANIFEST)
        return _read(folder, document)
    except StateUnreadable as error:
        return RunEntry(folder.name, "unreadable", problem=error.what)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return RunEntry(folder.name, "unreadable", problem=f"The evidence is damaged: {type(error).__name__}")


def _read(folder: Path, document: Mapping[str, Any]) -> RunEntry:
    started_at = storage.decode_instant(document["started_at"])
    if started_at.tzinfo is None:
        raise ValueError("an instant without its zone")
    seconds = document.get("seconds")
    summary = document.get("summary") or {"rows": _rows(folder), "lock_ms": _longest_lock(folder)}
    return RunEntry(
        folder=folder.name,
        status=str(document["status"]),
        kind=str(document.get("kind") or REHEARSAL),
        migration=str(document["migration"]["name"]),
        database=str(document["database"]["name"]),
        engine=str(document["database"].get("engine") or ""),
        started_at=started_at,
        seconds=None if seconds is None else float(seconds),
        lock_ms=summary.get("lock_ms"),
        rows=summary.get("rows"),
        has_report=(folder / REPORT_FILE).is_file(),
    )


def _longest_lock(folder: Path) -> float | None:
    """Find the number in the files, for evidence whose manifest has no summary."""
    path = folder / "up.json"
    if not path.is_file():
        return None
    held = merged_locks(storage.decode_frame(LOCKS, storage.read_json(path)["locks"]))
    return max((row["held_ms"] or 0.0 for row in held if "writes" in (row["blocks"] or "")), default=0.0)


def _rows(folder: Path) -> int | None:
    path = folder / "before.json"
    if not path.is_file() or path.stat().st_size > STATE_LIMIT_BYTES:
        return None
    frame = storage.read_json(path)["frames"]["tables"]
    return int(storage.decode_frame(TABLES, frame)["rows"].fillna(0).sum())
