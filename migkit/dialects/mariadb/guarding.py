"""Guarding a change on MariaDB: other rights let an account write, and nothing keeps the setting."""

from __future__ import annotations

from migkit.dialects.mysql.guarding import GuardingMySQL


class GuardingMariaDB(GuardingMySQL):
    """Guarding on MariaDB, which has no super_read_only and no SET PERSIST."""

    exempting: tuple[str, ...] = ("SUPER", "READ_ONLY ADMIN", "READ ONLY ADMIN")
    lasting = False
