"""What InnoDB writes down of the latest deadlock: the only place that names its victim everywhere."""

from __future__ import annotations

import re

from migkit.dialects.measuring import SeenIncident
from migkit.dialects.mysql.locks import bare_name

_TRANSACTION = re.compile(
    r"\*\*\* \((\d+)\) TRANSACTION:.*?(?:MariaDB|MySQL) thread id (\d+),[^\n]*\n(.*?)\n\*\*\*(.*?)"
    r"(?=\*\*\* \(\d+\) TRANSACTION:|\*\*\* WE ROLL|\Z)",
    re.DOTALL,
)


def read_deadlock(status: str) -> SeenIncident | None:
    """Read the victim of the latest deadlock out of ``SHOW ENGINE INNODB STATUS``."""
    _, _, text = status.partition("LATEST DETECTED DEADLOCK")
    rolled_back = re.search(r"\*\*\* WE ROLL BACK TRANSACTION \((\d+)\)", text)
    if rolled_back is None:
        return None
    parts = {found[1]: found for found in _TRANSACTION.finditer(text[: rolled_back.end()])}
    victim = parts.get(rolled_back[1])
    if victim is None:
        return None
    others = [int(found[2]) for number, found in parts.items() if number != rolled_back[1]]
    table = re.search(r"of table (`(?:[^`]|``)+`\.`(?:[^`]|``)+`)", victim[4])
    return SeenIncident(
        kind="deadlock",
        session=int(victim[2]),
        blocker=others[0] if others else None,
        relation=bare_name(table[1]) if table else None,
        query=victim[3].strip(),
        source="SHOW ENGINE INNODB STATUS",
    )
