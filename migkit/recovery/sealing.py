"""Seals: SHA-256 of every file of a backup, in the form that ``sha256sum -c`` reads, and of the facts that change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from migkit.errors import BackupInvalid
from migkit.recovery.backup import BackupStatus
from migkit.storage import sha256, sync, told_where, write_bytes

SEALS = "SHA256SUMS"
STATUS = "status.json"


def seal(folder: Path) -> None:
    """Write down the SHA-256 of every file of a folder, and make all of them durable."""
    with told_where(folder):
        for path in _files(folder):
            path.chmod(0o600)
            sync(path)
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                sync(path)
    write_bytes(folder / SEALS, _seals(folder))


def broken_seals(folder: Path) -> list[str]:
    """Return what is wrong with the files of a backup, one sentence each; nothing if every bit is as it was.

    Examples
    --------
    >>> broken_seals(Path("no such folder"))
    ['SHA256SUMS is missing']
    """
    try:
        told = (folder / SEALS).read_bytes()
    except OSError as error:
        return [f"{SEALS} is missing" if isinstance(error, FileNotFoundError) else f"{SEALS}: {error.strerror}"]
    try:
        return [*_differing(folder, told), *_wrong_status(folder)]
    except OSError as error:
        return [f"{error.filename or folder} cannot be read: {error.strerror}"]


def _differing(folder: Path, told: bytes) -> Iterator[str]:
    found = _seals(folder)
    if found == told:
        return
    lines = {line[66:]: line[:64] for line in told.decode("utf-8", "replace").splitlines()}
    present = {line[66:]: line[:64] for line in found.decode().splitlines()}
    yield from (f"{name} is missing" for name in sorted(lines.keys() - present.keys()))
    yield from (f"{name} is not part of the backup" for name in sorted(present.keys() - lines.keys()))
    differing = [name for name in sorted(lines.keys() & present.keys()) if lines[name] != present[name]]
    yield from (f"{name} is damaged" for name in differing)
    if lines == present:
        yield f"{SEALS} is damaged"


def _seals(folder: Path) -> bytes:
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder)]
    return "".join(lines).encode("utf-8", "surrogateescape")


def _files(folder: Path) -> list[Path]:
    """Return the files that never change, in order."""
    apart = {folder / SEALS, folder / STATUS}
    found = [path for path in folder.rglob("*") if not path.is_dir() and path not in apart]
    # Locks of those who need the backup come and go.
    return sorted(path for path in found if path.parent != folder or not path.name.startswith("needed_by"))


# --- what changes -----------------------------------------------------------------------------------------------------


def write_status(folder: Path, status: BackupStatus) -> None:
    """Write down what has been learned of a backup, with a seal of its own."""
    write_bytes(folder / STATUS, _encoded(status))


def read_status(folder: Path) -> BackupStatus:
    """Read what :func:`write_status` wrote.

    Raises
    ------
    BackupInvalid
        If it is missing or not exactly what was written.
    """
    path = folder / STATUS
    try:
        data = path.read_bytes()
        status = BackupStatus.from_document(json.loads(data)["status"])
    except FileNotFoundError:
        raise BackupInvalid(f"{STATUS} is missing", where=str(folder)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BackupInvalid(f"{STATUS} is damaged", where=str(folder)) from None
    if data != _encoded(status):
        raise BackupInvalid(f"{STATUS} is damaged", where=str(folder))
    return status


def _wrong_status(folder: Path) -> Iterator[str]:
    try:
        read_status(folder)
    except BackupInvalid as error:
        yield error.what


def _encoded(status: BackupStatus) -> bytes:
    document = status.to_document()
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    return (json.dumps({"status": document, "sha256": digest}, indent=1) + "\n").encode()
