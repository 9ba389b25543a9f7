"""MySQL 8.4 and later, through PyMySQL."""

from __future__ import annotations

from migkit.dialects.mysql.dialect import MySQL

__all__ = ["MySQL"]
