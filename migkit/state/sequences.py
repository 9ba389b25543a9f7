"""Whether a sequence went on, or was set back and would give a value again."""

from __future__ import annotations

import re
from typing import Literal

from migkit.state.changes import Pair

Movement = Literal["none", "forward", "back", "unknown"]

_STEP = re.compile(r"\bincrement (-?\d+)", re.IGNORECASE)
_CYCLES = re.compile(r"\bCACHE \d+ CYCLE\b|\bcycle_option 1\b")
_NUMBER = re.compile(r"-?\d+")
_NOT_USED_YET = "(not used yet)"


def movement(pair: Pair) -> Movement:
    """Tell how the value of a sequence or counter moved.

    Parameters
    ----------
    pair : Pair
        An object in two states.

    Returns
    -------
    str
        ``"forward"`` if no value that was given can come again, ``"back"`` if one can, and ``"unknown"`` of a sequence
        that cycles: from its largest value it goes on with its smallest, which looks like being set back.
    """
    if pair.before is None or pair.after is None:
        return "none"
    before, after = pair.before["value"], pair.after["value"]
    down, down_after = (_step(row["definition"]) < 0 for row in (pair.before, pair.after))
    if before == after and down == down_after:
        return "none"
    old, new = _next(before, down), _next(after, down)
    if old is None or (new is not None and down == down_after and (new <= old if down else new >= old)):
        return "forward"
    return "unknown" if _cycles(pair.before["definition"]) and _cycles(pair.after["definition"]) else "back"


def _step(definition: object) -> int:
    found = _STEP.search(str(definition or ""))
    return int(found[1]) if found else 1


def _cycles(definition: object) -> bool:
    return _CYCLES.search(str(definition or "")) is not None


def _next(value: object, down: bool) -> int | None:
    """Return the first value that was not given yet; what the step skips was not given either."""
    found = _NUMBER.match(str(value)) if value is not None else None
    if found is None:
        return None
    # "5 (not used yet)" gives 5 itself, "5" has given it.
    return int(found[0]) + (0 if str(value).endswith(_NOT_USED_YET) else -1 if down else 1)
