"""Whose a scratch database is: its name says which process on which machine made it.

So what a killed process left behind can be told, without a list that could be lost, from what another one still uses.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
from enum import Enum
from functools import lru_cache
from pathlib import Path

SCRATCH_PREFIX = "migkit_scratch_"
# How the comment begins that scratch databases have where databases have comments.
SCRATCH_COMMENT = "Scratch database made by migkit"
_PROC = Path("/proc")
_NAME = re.compile(rf"{SCRATCH_PREFIX}(?:[a-z]+_)?([0-9a-f]{{6}})_(\d+)_([0-9a-f]{{6}})_[0-9a-f]{{8}}")
_START_TIME = 19  # of what follows the name in /proc/PID/stat


class Owner(Enum):
    """What became of the process that made something."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


def scratch_name(purpose: str = "") -> str:
    """Return a new name for a scratch database of this process.

    Parameters
    ----------
    purpose : str
        A word of lower-case letters for people to read in it.

    Examples
    --------
    >>> owner_of(scratch_name("restore"))
    <Owner.ALIVE: 'alive'>
    """
    word = f"{purpose}_" if purpose else ""
    return f"{SCRATCH_PREFIX}{word}{_machine()}_{os.getpid()}_{_birth(os.getpid())}_{secrets.token_hex(4)}"


def owner_of(name: str) -> Owner:
    """Tell whether the process that made a scratch database still lives; only this machine's own can be known."""
    told = _NAME.fullmatch(name)
    if told is None or told[1] != _machine():
        return Owner.UNKNOWN
    pid = int(told[2])
    return Owner.ALIVE if is_alive(pid) and _birth(pid) == told[3] else Owner.GONE


def is_alive(pid: int) -> bool:
    """Tell whether a process of this number lives on this machine, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


@lru_cache(maxsize=1)
def _machine() -> str:
    # Containers may share the name of their host, and number their processes anew.
    try:
        numbering = str((_PROC / "self/ns/pid").readlink())
    except OSError:
        numbering = ""
    return _short(f"{platform.node()} {_text(Path('/etc/machine-id'))} {numbering}")


def _birth(pid: int) -> str:
    """Return what tells a process from later ones with its number; the same for all where the system tells nothing."""
    # The name of the program may hold blanks and parentheses itself.
    fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    started = fields[_START_TIME] if len(fields) > _START_TIME else ""
    return _short(f"{_text(_PROC / 'sys/kernel/random/boot_id')} {started}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
