"""A base backup's files: unpacked, and each held against the manifest that came with them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from migkit.dialects.point_in_time import Base
from migkit.errors import MomentUnreachable
from migkit.storage import sha256

BASE_TAR = "base.tar.gz"
MANIFEST = "backup_manifest"
CHECKSUMS = "SHA256"


def unpack(base: Base, data: Path, tablespaces: Path) -> None:
    """Unpack a base backup, and make sure that nothing in it is missing or changed.

    Parameters
    ----------
    base : Base
        The base backup, as ``pg_basebackup --format=tar`` wrote it.
    data : Path
        An empty folder, for the server's files.
    tablespaces : Path
        A folder for tablespaces; where the original keeps them, nothing is written.

    Raises
    ------
    MomentUnreachable
        If it is damaged; names the first file that is.
    """
    try:
        manifest = _manifest(base.folder / MANIFEST)
        _extract(base.folder / BASE_TAR, data)
        lines = []
        for archive in sorted(base.folder.glob("[0-9]*.tar.gz")):
            number = archive.name.removesuffix(".tar.gz")
            _extract(archive, tablespaces / number)
            lines.append(f"{number} {tablespaces / number}\n")
        for entry in manifest["Files"]:
            _require_whole(entry, data, tablespaces)
        if lines:
            (data / "tablespace_map").write_text("".join(lines), encoding="utf-8")
        shutil.copyfile(base.folder / MANIFEST, data / MANIFEST)
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise MomentUnreachable(
            f"The base backup is damaged: {error}",
            where=str(base.folder),
            next_step="Use an earlier base, or take a new one: migkit pitr enable.",
        ) from error


def log_span(folder: Path) -> dict[str, Any]:
    """Return which piece of the log a base backup needs."""
    span = _manifest(folder / MANIFEST)["WAL-Ranges"][-1]
    return {"timeline": span["Timeline"], "start": span["Start-LSN"], "end": span["End-LSN"]}


def _manifest(path: Path) -> dict[str, Any]:
    """Read the manifest, which carries its own checksum in its last line."""
    data = path.read_bytes()
    head, mark, _ = data.rpartition(b'"Manifest-Checksum"')
    document: dict[str, Any] = json.loads(data)
    if not mark or hashlib.sha256(head).hexdigest() != document["Manifest-Checksum"]:
        raise ValueError(f"{path.name} was changed")
    return document


def _extract(archive: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tarfile.open(archive) as files:
        files.extractall(into, filter="tar")


def _require_whole(entry: dict[str, Any], data: Path, tablespaces: Path) -> None:
    name = entry["Path"] if "Path" in entry else bytes.fromhex(entry["Encoded-Path"]).decode("utf-8", "surrogateescape")
    folder, _, rest = name.partition("/")
    path = tablespaces / rest if folder == "pg_tblspc" else data / name
    if not path.is_file():
        raise ValueError(f"{name} is missing")
    if path.stat().st_size != entry["Size"] or sha256(path) != entry["Checksum"]:
        raise ValueError(f"{name} was changed")
