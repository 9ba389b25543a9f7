"""The two sides of a comparison of rows: sessions on each, and one table's digests read from both at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.base import Dialect, Part, RowDigest, SegmentContent, TableContent
from migkit.errors import CaptureFailed, PermissionMissing
from migkit.state.content import MODULUS
from migkit.state.row_merge import RowDifference, merge
from migkit.stopping import LOOK_SECONDS, check

Result = TypeVar("Result")
Digest = tuple[int, ...]


@dataclass(frozen=True)
class Side:
    """One database: its sessions, which all see one instant, and what is read of the table there."""

    db: Database
    sessions: list[Connection]
    content: TableContent

    @property
    def dialect(self) -> Dialect:
        """The engine."""
        return self.db.dialect


Sides = tuple[Side, Side]


@contextmanager
def opened(a: Database, b: Database) -> Iterator[tuple[list[Connection], list[Connection]]]:
    """Open sessions on both databases, each at one instant of its own; a driver's error becomes a sentence."""
    with ExitStack() as stack:
        sessions = []
        for db in (a, b):
            with explained(db):
                sessions.append(stack.enter_context(db.dialect.snapshot(db.engine, db.dialect.capture_workers)))
        yield sessions[0], sessions[1]


@contextmanager
def explained(db: Database) -> Iterator[None]:
    """Turn a driver's error into one of ours, with the server's words."""
    try:
        yield
    except SQLAlchemyError as error:
        told = db.dialect.explain_error(error)
        if db.dialect.is_permission_error(error):
            raise PermissionMissing(
                told, where=db.name, next_step="Rows can be compared by who may read them."
            ) from error
        raise CaptureFailed(
            f"Reading rows was broken off: {told}", where=db.name, next_step="Nothing was left behind; try again."
        ) from error


def read_digests(sides: Sides, contents: tuple[TableContent, TableContent]) -> tuple[Digests, Digests]:
    """Digest the rows of one table on both sides at once, by segment; appended rows are left out."""
    found = (Digests(contents[0]), Digests(contents[1]))
    workers: list[tuple[Side, Connection, Callable[[Connection], None]]] = []
    queues: list[deque[Any]] = []
    for side, content, digests in zip(sides, contents, found, strict=True):
        tasks = deque(side.dialect.content_tasks(content))
        queues.append(tasks)
        work = _reader(side, content, tasks, digests)
        workers += [(side, session, work) for session in side.sessions[: max(1, len(tasks))]]
    _run(workers, queues)
    return found


def _reader(side: Side, content: TableContent, tasks: deque[Any], digests: Digests) -> Callable[[Connection], None]:
    def read(session: Connection) -> None:
        while True:
            try:
                task = tasks.popleft()
            except IndexError:
                return
            with explained(side.db):
                for reading in side.dialect.read_content(session, content, task):
                    digests.add(reading)

    return read


def _run(workers: list[tuple[Side, Connection, Callable[[Connection], None]]], queues: list[deque[Any]]) -> None:
    """Work everything off; the first error stops every worker, and so does Ctrl-C, on the servers too."""
    cancel = [side.dialect.canceller(session) for side, session, _ in workers]
    with ThreadPoolExecutor(max_workers=len(workers), thread_name_prefix="migkit-rows") as pool:
        futures = [pool.submit(work, session) for _, session, work in workers]
        for future in futures:
            future.add_done_callback(lambda done: _stop_all(done, queues))
        try:
            while wait(futures, LOOK_SECONDS).not_done:
                check()
        except BaseException:
            for tasks in queues:
                tasks.clear()
            for stop in cancel:
                stop()
            raise
    for future in futures:
        future.result()


def _stop_all(done: Future[None], queues: list[deque[Any]]) -> None:
    if done.exception() is not None:
        for tasks in queues:
            tasks.clear()


@dataclass
class Digests:
    """The digests of one table's segments, with the columns in the order of the content."""

    content: TableContent
    segments: dict[int, Digest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, reading: SegmentContent) -> None:
        """Add one reading."""
        if reading.appended:
            return
        cells = [reading.rows, reading.row_sum]
        for name, _ in self.content.columns:
            cells += reading.sums.get(name, (0, 0))
        with self._lock:
            known = self.segments.get(reading.segment)
            if known is not None:
                cells = [(one + other) % MODULUS for one, other in zip(known, cells, strict=True)]
            self.segments[reading.segment] = tuple(cells)

    @property
    def rows(self) -> int:
        """Rows read."""
        return sum(digest[0] for digest in self.segments.values())

    def total(self) -> Digest:
        """Add all segments up: rows, the sum of whole rows, then values that are not NULL and their sum by column."""
        width = 2 + 2 * len(self.content.columns)
        return tuple(sum(cells) % MODULUS for cells in zip(*self.segments.values(), strict=True)) or (0,) * width

    def differing(self, other: Digests) -> dict[int, int]:
        """Return the segments that differ, with the rows the larger of the two sides has there."""
        numbers = self.segments.keys() | other.segments.keys()
        return {
            number: max(self.rows_in(number), other.rows_in(number))
            for number in sorted(numbers)
            if self.segments.get(number) != other.segments.get(number)
        }

    def rows_in(self, segment: int) -> int:
        """Return the rows of a segment."""
        return self.segments.get(segment, (0,))[0]


def row_differences(sides: Sides, within: tuple[Part, ...]) -> Iterator[RowDifference]:
    """Compare the rows of some parts of the table one by one."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="migkit-rows") as pool:
        # Each side finds its rows and sorts them before the first one comes: both do so at once.
        left, right = pool.map(lambda side: _primed(side, within), sides)
        yield from merge(left, right)


def _primed(side: Side, within: tuple[Part, ...]) -> Iterator[RowDigest]:
    rows = _explained_rows(side, within)
    first = next(rows, None)
    return iter(()) if first is None else chain((first,), rows)


def _explained_rows(side: Side, within: tuple[Part, ...]) -> Iterator[RowDigest]:
    *outer, last = within
    content = replace(side.content, shift=last.shift, slice_bits=last.slice_bits, within=tuple(outer))
    with explained(side.db):
        yield from side.dialect.read_rows(side.sessions[0], content, last.segments)
