"""MariaDB 10.6 and later: MySQL, but for its catalog, its lock views and its hashes."""

from __future__ import annotations

from migkit.dialects.mariadb.dialect import MariaDB

__all__ = ["MariaDB"]
