"""Writers that go on while deploys are killed, and remember every row that the server said is committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from bench.faults.subject import LEDGER

_PAUSE_SECONDS = 0.02
_APART = 1_000_000


class Writers:
    """Threads that insert numbered rows, each in a transaction of its own."""

    def __init__(self, url: URL, writers: int = 2) -> None:
        arguments = {"timeout": 0.2} if url.get_backend_name() == "sqlite" else {}
        self._engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=arguments)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(one,), daemon=True) for one in range(writers)]
        self.committed: set[int] = set()
        self.refused = 0

    def _write(self, writer: int) -> None:
        numbers = count(writer * _APART + 1)
        connection: sa.Connection | None = None
        while not self._stop.is_set():
            number = next(numbers)
            try:
                connection = connection or self._engine.connect()
                connection.exec_driver_sql(f"INSERT INTO {LEDGER} VALUES ({number})")
                connection.commit()
                self.committed.add(number)
            except (SQLAlchemyError, OSError):
                self.refused += 1
                with suppress(SQLAlchemyError, OSError):
                    if connection is not None:
                        connection.close()
                connection = None
            time.sleep(_PAUSE_SECONDS)
        with suppress(SQLAlchemyError, OSError):
            if connection is not None:
                connection.close()

    def go_on(self, rows: int = 1, patience: float = 20.0) -> bool:
        """Wait until more rows were committed; tell whether that came to pass."""
        wanted, deadline = len(self.committed) + rows, time.monotonic() + patience
        while len(self.committed) < wanted and time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
        return len(self.committed) >= wanted

    @contextmanager
    def writing(self) -> Iterator[Writers]:
        """Write for the length of a ``with`` block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
            self._engine.dispose()
