"""Canaries of MySQL and MariaDB: one locking read of one row, committed by itself."""

from __future__ import annotations

from migkit.dialects.canaries import Canaries, CanaryScript, canary_comment
from migkit.dialects.mysql.sql import quote

_LOCK_WAIT_TIMEOUT = 1205


class MySQLCanaries(Canaries):
    """Canaries of MySQL and MariaDB."""

    def canary_script(self, schema: str, table: str) -> CanaryScript:
        """Return a script whose writer takes the metadata lock of a writer, and an exclusive lock of one row.

        Its session commits every statement by itself. It waits a second for a row, and as long as it takes for the
        table: meanwhile it holds nothing that the migration could want.
        """
        name = quote(schema, table)
        return CanaryScript(
            read=f"{canary_comment('reads of', table)} SELECT 1 FROM {name} LIMIT 1",
            write=f"{canary_comment('writes to', table)} SELECT 1 FROM {name} LIMIT 1 FOR UPDATE",
            settings=("SET SESSION innodb_lock_wait_timeout = 1", "SET SESSION lock_wait_timeout = 86400"),
        )

    def is_canary_timeout(self, error: Exception) -> bool:
        """Tell whether the server gave up waiting for a lock."""
        return bool(error.args) and error.args[0] == _LOCK_WAIT_TIMEOUT
