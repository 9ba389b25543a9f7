"""The part of the contract that looks at a table as a reader and as a writer would, without changing anything in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from migkit.errors import UnsupportedFeature


@dataclass(frozen=True)
class CanaryScript:
    """What a canary sends again and again, each as one message and outside transactions of its session.

    Attributes
    ----------
    read : str
        Waits where a query of the table would.
    write : str
        Waits where an INSERT, UPDATE or DELETE would: it takes the same lock of the table and that of one row, and
        gives both back. No row is changed, no trigger fires, no sequence moves. It must never wait for a row while it
        keeps others from the table for long: the migration may want the table next, and that would be a deadlock.
    settings : tuple of str
        What its session sets once.
    """

    read: str
    write: str
    settings: tuple[str, ...] = ()


class Canaries:
    """Small, harmless requests that stall when others would."""

    def canary_script(self, schema: str, table: str) -> CanaryScript:
        """Return what shows whether a table can be read and written.

        Raises
        ------
        UnsupportedFeature
            If such requests would be in the migration's own way, or show nothing.
        """
        raise UnsupportedFeature(
            f"No canaries watch a migration of {self.label}",  # type: ignore[attr-defined]
            next_step="Give a workload (mk.load_test) to see what others go through.",
        )

    def is_canary_timeout(self, error: Exception) -> bool:
        """Tell whether a driver's error means that a lock was not granted in time."""
        return False


def canary_comment(operation: str, table: str) -> str:
    """Return a comment by which people know a canary in the server's list of sessions."""
    return f"/* migkit canary: {operation} {re.sub(r'[^A-Za-z0-9_.]', '_', table)[:60]} */"
