"""What sets MariaDB apart from MySQL."""

from __future__ import annotations

from migkit.dialects.mariadb.guarding import GuardingMariaDB
from migkit.dialects.mysql.dialect import MySQL
from migkit.dialects.mysql.hashing import TWO_POLYNOMIALS, Hash
from migkit.dialects.mysql.session import version_numbers

_TWO_POLYNOMIALS_SINCE = (10, 8)


class MariaDB(GuardingMariaDB, MySQL):
    """MariaDB 10.8 and later."""

    name = "mariadb"
    label = "MariaDB"
    dump_tool = "mariadb-dump"
    pitr_resolution = "any whole second, and any in a second in which nothing was changed"

    is_mariadb = True
    hash: Hash = TWO_POLYNOMIALS
    fingerprint_method = f"mariadb {TWO_POLYNOMIALS.method}"
    algorithms: tuple[str, ...] = ("INSTANT", "NOCOPY", "INPLACE", "COPY")
    table_ids = "INNODB_SYS_TABLES"

    @classmethod
    def serves(cls, version: str) -> bool:
        """Tell whether this is MariaDB with two polynomials."""
        return "mariadb" in version.lower() and version_numbers(version) >= _TWO_POLYNOMIALS_SINCE


class OlderMariaDB(MariaDB):
    """MariaDB before 10.8, which knows one polynomial only."""

    hash = MySQL.hash
    fingerprint_method = f"mariadb {MySQL.hash.method}"

    @classmethod
    def serves(cls, version: str) -> bool:
        """Tell whether this is MariaDB with one polynomial."""
        return "mariadb" in version.lower() and version_numbers(version) < _TWO_POLYNOMIALS_SINCE
