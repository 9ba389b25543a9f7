"""What this machine tells of a server that runs on it: the processor time of its processes, from ``/proc``."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_LISTENING = "0A"
NOT_LOCAL = "the server's processes are not on this machine, or this system does not show them"


@dataclass(frozen=True)
class Process:
    """A process as ``/proc/PID/stat`` shows it; seconds include children that have ended and were waited for."""

    pid: int
    parent: int
    name: str
    own_seconds: float
    ended_children_seconds: float


def read_process(pid: int) -> Process | None:
    """Return a process; ``None`` where there is none, or no ``/proc``."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name may hold blanks and parentheses itself.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    tick = os.sysconf("SC_CLK_TCK")
    user, system, children_user, children_system = (int(field) / tick for field in fields[11:15])
    return Process(pid, int(fields[1]), head.partition("(")[2], user + system, children_user + children_system)


def cpu_seconds(pid: int) -> float | None:
    """Return the processor time of a server and of all its children, living and ended."""
    server = read_process(pid)
    if server is None:
        return None
    living = [process for process in _processes() if process.parent == pid]
    return server.own_seconds + server.ended_children_seconds + sum(process.own_seconds for process in living)


def _processes() -> list[Process]:
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            process = read_process(int(folder.name))
            if process is not None:
                found.append(process)
    return found


def peer_of_socket(connected: Any) -> int | None:
    """Return the process at the other end of a Unix socket."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None or not isinstance(connected, socket.socket) or connected.family != socket.AF_UNIX:
        return None
    with suppress(OSError):
        return int.from_bytes(connected.getsockopt(socket.SOL_SOCKET, option, 12)[:4], "little") or None
    return None


def listener(port: int) -> int | None:
    """Return the process of this machine that listens on a TCP port, where it may be seen."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not inodes:
        return None
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and _holds_one_of(folder / "fd", inodes):
            return int(folder.name)
    return None


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found


def _holds_one_of(descriptors: Path, names: set[str]) -> bool:
    # Others' processes may end, or not let us look, at any moment.
    with suppress(OSError):
        for link in descriptors.iterdir():
            with suppress(OSError):
                if str(link.readlink()) in names:
                    return True
    return False
