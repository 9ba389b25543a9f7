"""What the coordinator and its worker processes say to each other, over pipes, one pickle after the other.

Both ends are this program: the coordinator started the process itself and nobody else can reach the pipes.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from migkit.load.recording import Batch
from migkit.load.worker import Task

_HEAD = struct.Struct("<Q")


@dataclass(frozen=True)
class Ready:
    """A worker's clients are connected."""

    sessions: tuple[int, ...]


@dataclass(frozen=True)
class Broken:
    """A worker cannot go on."""

    what: str
    where: str | None
    next_step: str | None


@dataclass(frozen=True)
class Finished:
    """A worker has closed its connections."""


@dataclass(frozen=True)
class Begin:
    """The worker shall begin; moments of :func:`time.time`."""

    epoch: float
    at: float


@dataclass(frozen=True)
class End:
    """The worker shall end at a moment."""

    at: float


Message = Task | Ready | Broken | Finished | Begin | End | Batch


def send(stream: BinaryIO, message: Message) -> None:
    """Write a message."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_HEAD.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read a message; ``None`` when the other end is gone."""
    head = _exactly(stream, _HEAD.size)
    data = _exactly(stream, _HEAD.unpack(head)[0]) if head else None
    return pickle.loads(data) if data else None


def _exactly(stream: BinaryIO, size: int) -> bytes | None:
    """Read so many bytes; ``None`` if the stream ends before."""
    data = bytearray()
    while len(data) < size:
        part = stream.read(size - len(data))
        if not part:
            return None
        data += part
    return bytes(data)
