"""Why there are no canaries of SQLite."""

from __future__ import annotations

from migkit.dialects.canaries import Canaries, CanaryScript
from migkit.errors import UnsupportedFeature


class SQLiteCanaries(Canaries):
    """No canaries: on SQLite they would be in the way of the migration, and show nothing that is not known."""

    def canary_script(self, schema: str, table: str) -> CanaryScript:
        """Refuse: one lock guards the whole file.

        A reader's lock makes a commit wait, a writer's makes every statement wait, and what must have the file to
        itself (VACUUM, a change of the journal mode) would fail at once instead of waiting. When others are kept out is
        known without them: while the migration holds the file's write lock.
        """
        raise UnsupportedFeature(
            "SQLite has one lock for the whole file, and requests of others would be in the migration's way; how long "
            "it kept writers out is measured from inside"
        )
