"""Canaries of PostgreSQL: the table lock of a writer and the lock of one row, given back at once."""

from __future__ import annotations

from migkit.dialects.canaries import Canaries, CanaryScript, canary_comment
from migkit.dialects.postgresql.sql import quote

_LOCK_NOT_AVAILABLE = "55P03"
_ROW_PATIENCE_MS = 100


class PostgreSQLCanaries(Canaries):
    """Canaries of PostgreSQL."""

    def canary_script(self, schema: str, table: str) -> CanaryScript:
        """Return a script whose writer holds nothing while it waits for the table, and waits only briefly for a row.

        A lock on a row is waited for with the table's lock in hand, as every UPDATE does; a migration that wants to
        ALTER a table whose rows it has changed would wait for the canary then, and the canary for the migration. So it
        lets go of both after a tenth of a second and tries again.
        """
        name = quote(schema, table)
        steps = (
            "BEGIN",
            "SET LOCAL lock_timeout = 0",
            f"LOCK TABLE ONLY {name} IN ROW EXCLUSIVE MODE",
            f"SET LOCAL lock_timeout = {_ROW_PATIENCE_MS}",
            f"SELECT 1 FROM ONLY {name} LIMIT 1 FOR NO KEY UPDATE",
            "ROLLBACK",
        )
        return CanaryScript(
            read=f"{canary_comment('reads of', table)} SELECT 1 FROM ONLY {name} LIMIT 1",
            write=f"{canary_comment('writes to', table)} {'; '.join(steps)}",
            settings=("SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0"),
        )

    def is_canary_timeout(self, error: Exception) -> bool:
        """Tell whether the server gave up waiting for a lock."""
        return getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE
