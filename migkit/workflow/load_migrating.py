"""The migration of a load test: in a thread of its own, tried again where it did not get its lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from migkit.database import Database
from migkit.errors import MigkitError
from migkit.load.plan import LoadPlan
from migkit.migration.migration import Direction, Migration
from migkit.migration.results import Run, RunInterrupted
from migkit.migration.runner import run
from migkit.progress import Progress
from migkit.stopping import Stop

_RETRY_SECONDS = 0.5


def tries(
    migration: Migration, db: Database, plan: LoadPlan, direction: Direction, *, confined: bool, progress: Progress
) -> Iterator[Run]:
    """Run one way, and again after a lock timeout that left nothing behind."""
    for attempt in range(plan.retries + 1):
        done = run(
            migration,
            db,
            direction=direction,
            timeout=plan.timeout,
            lock_timeout=plan.lock_timeout,
            progress=progress,
            confined=confined,
            # On a clone nobody looks into it; and under load, writing it may itself have to wait.
            journal=not confined,
        )
        yield done
        is_last = attempt == plan.retries
        if is_last or done.succeeded or done.standing or not db.dialect.tells_lock_timeout(done.error or ""):
            return
        # Longer each time, so that the queue behind it has gone.
        time.sleep(_RETRY_SECONDS * (attempt + 1))


class Migrating:
    """A migration in a thread of its own, which a handle ends."""

    def __init__(self, runs: Callable[[], Iterator[Run]]) -> None:
        self.stop = Stop()
        self.runs: list[Run] = []
        self.error: MigkitError | None = None
        self._raised: BaseException | None = None
        self._thread = threading.Thread(target=self._work, args=(runs,), name="migkit-load-migration")
        self._thread.start()

    def _work(self, runs: Callable[[], Iterator[Run]]) -> None:
        try:
            with self.stop.heeded():
                for done in runs():
                    self.runs.append(done)
        except RunInterrupted as interrupted:
            self.runs.append(interrupted.run)
        except MigkitError as error:
            self.error = error
        except BaseException as error:  # raised again by whoever waits
            self._raised = error

    def is_over(self) -> bool:
        """Tell whether it has ended."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()
        if self._raised is not None:
            raise self._raised
