"""Code that lies in a database and changes others: its triggers, its routines, and its views on foreign tables."""

from __future__ import annotations

import re
from collections.abc import Collection

from sqlalchemy import Connection

from migkit.dialects.mysql.reach import reaches_beyond_database
from migkit.dialects.mysql.sql import rows

# Under which name a statement sets the code off, and the code.
_CODE = """
SELECT EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
UNION ALL
SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION ALL
SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS
 WHERE TABLE_SCHEMA = DATABASE() AND IS_UPDATABLE = 'YES'
"""


def ways_out(connection: Connection, neighbours: Collection[str]) -> frozenset[str]:
    """Return the tables, views and routines through which a statement changes another database, or the server.

    Parameters
    ----------
    connection : Connection
        A session in the database.
    neighbours : collection of str
        The names of the server's other databases.
    """
    code = [(str(name), str(body)) for name, body in rows(connection, _CODE) if body]
    found = {name for name, body in code if reaches_beyond_database(f"BEGIN {body} END", neighbours)}
    while True:
        # A trigger may write to a table whose trigger leads out.
        further = {name for name, body in code if name not in found and any(_mentions(body, one) for one in found)}
        if not further:
            return frozenset(found)
        found |= further


def _mentions(body: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", body, re.IGNORECASE) is not None
