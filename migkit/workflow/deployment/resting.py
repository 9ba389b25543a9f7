"""Waiting that Ctrl-C and a Stop button end."""

from __future__ import annotations

import time

from migkit import stopping


def rest(seconds: float) -> None:
    """Wait, by a clock that never jumps."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        stopping.check()
        time.sleep(min(left, stopping.LOOK_SECONDS))
