"""Files that outlive the program that wrote them: JSON, written whole or not at all, compressed on request."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import zstandard

from migkit.errors import MigkitError, StateUnreadable
from migkit.framing import INSTANT, FrameSpec

COMPRESSED_SUFFIX = ".zst"


def encode_instant(instant: datetime) -> str:
    """Write an instant as ISO 8601 in UTC with microseconds: ``2026-11-22T06:30:00.000000Z``."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def decode_instant(text: str) -> datetime:
    """Read what :func:`encode_instant` wrote."""
    return datetime.fromisoformat(text)


def encode_frame(spec: FrameSpec, frame: pd.DataFrame) -> dict[str, Any]:
    """Turn a frame into plain JSON values: column names once, then one list per row."""
    rows = [[_encode(row[name]) for name in spec.names] for row in spec.rows(frame)]
    return {"columns": list(spec.names), "rows": rows}


def decode_frame(spec: FrameSpec, document: Mapping[str, Any]) -> pd.DataFrame:
    """Turn JSON values back into a frame; columns added to the contract since then are missing values."""
    instants = {column.name for column in spec.columns if column.dtype == INSTANT}
    known = [(index, name) for index, name in enumerate(document["columns"]) if name in spec.names]
    return spec.build(
        {name: _decode(row[index], name in instants) for index, name in known} for row in document["rows"]
    )


def _encode(value: Any) -> Any:
    return encode_instant(value) if isinstance(value, datetime) else value


def _decode(value: Any, is_instant: bool) -> Any:
    return decode_instant(value) if is_instant and value is not None else value


def write_json(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a document beside its place and rename it there, so that readers see all of it or nothing.

    Parameters
    ----------
    path : Path
        ``*.json`` or ``*.json.zst`` (compressed).
    document : mapping
        JSON values; NaN is refused.

    Returns
    -------
    Path
        `path`.
    """
    data = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()
    if path.suffix == COMPRESSED_SUFFIX:
        data = zstandard.ZstdCompressor(level=10).compress(data)
    return write_bytes(path, data)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write bytes durably: beside their place, synced, then renamed there.

    Raises
    ------
    MigkitError
        If they cannot be written (no room, no right); what stood there before still stands.
    """
    with told_where(path):
        return _write_bytes(path, data)


@contextmanager
def told_where(path: Path) -> Iterator[None]:
    """Turn what the system says when a file or folder cannot be made into a sentence."""
    try:
        yield
    except OSError as error:
        raise MigkitError(
            f"This cannot be written: {error.strerror or error}",
            where=str(path),
            next_step="Make room or give the right to write there, or name another place.",
        ) from error


def _write_bytes(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def sync(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, where the system lets folders be synced."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote.

    Raises
    ------
    StateUnreadable
        If the file is missing, cut off or not JSON.
    """
    try:
        data = path.read_bytes()
        if path.suffix == COMPRESSED_SUFFIX:
            data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        document = json.loads(data)
    except FileNotFoundError:
        raise StateUnreadable("The file does not exist", where=str(path)) from None
    except OSError as error:
        raise StateUnreadable(f"The file cannot be read: {error.strerror}", where=str(path)) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, zstandard.ZstdError) as error:
        raise StateUnreadable(f"The file is damaged: {error}", where=str(path)) from None
    if not isinstance(document, dict):
        raise StateUnreadable("The file holds no saved result", where=str(path))
    return document


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
