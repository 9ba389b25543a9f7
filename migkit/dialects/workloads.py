"""What a load test asks of an engine: clients straight on the driver, and what the server knows of its queries.

A client is one connection without anything in between: SQLAlchemy's own work for each execution would be measured as if
it were the server's.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection

from migkit.errors import UnsupportedFeature


@dataclass(frozen=True)
class NamedSql:
    """A statement cut at its ``:names``.

    Attributes
    ----------
    texts : tuple of str
        What stands between the names; one more than names.
    names : tuple of str
        The names in order of appearance; one may come several times.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """The statement as it was written."""
        return self.texts[0] + "".join(f":{name}{rest}" for name, rest in zip(self.names, self.texts[1:], strict=True))

    def questioned(self) -> str:
        """Return the statement with a question mark for each name."""
        return "?".join(self.texts)

    def numbered(self) -> tuple[str, tuple[str, ...]]:
        """Return the statement with ``$1``, ``$2`` …, one number for each distinct name, and the names so numbered."""
        distinct = tuple(dict.fromkeys(self.names))
        numbers = {name: f"${number}" for number, name in enumerate(distinct, start=1)}
        pairs = zip(self.names, self.texts[1:], strict=True)
        return self.texts[0] + "".join(numbers[name] + rest for name, rest in pairs), distinct


@dataclass(frozen=True)
class ServerQuery:
    """A statement that applications sent to the server, as its statistics tell.

    Attributes
    ----------
    sql : str
        With ``:p1``, ``:p2`` … where the server left values out.
    calls : int
        How often it was sent.
    total_ms : float
        The time it took in all.
    """

    sql: str
    calls: int
    total_ms: float


@dataclass(frozen=True)
class ClientError:
    """What went wrong with a request.

    Attributes
    ----------
    kind : str
        The engine's code.
    message : str
        One clean line.
    lost : bool
        The connection is gone, too.
    """

    kind: str
    message: str
    lost: bool = False


class LoadClient(ABC):
    """One connection of a load test.

    Attributes
    ----------
    session : int or None
        The server's number of the session, where it has one.
    """

    session: int | None = None

    @abstractmethod
    def prepare(self, sql: NamedSql) -> tuple[Any, tuple[str, ...]]:
        """Prepare a statement; return what :meth:`run` takes, and the names of the values it then wants, in order."""

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """Turn a value into what the driver sends, ahead of time."""

    @abstractmethod
    def run(self, prepared: Any, values: Sequence[Any]) -> None:
        """Execute what was prepared with encoded values, and read the whole answer."""

    @abstractmethod
    def explain(self, error: Exception) -> ClientError:
        """Say what a driver's error means; an error that is not the driver's is raised again."""

    @abstractmethod
    def reset(self) -> None:
        """End a transaction that a failed request left open."""

    def must_prepare_again(self, error: ClientError) -> bool:
        """Tell whether an error says that the prepared form is out of date, though the statement may still be good."""
        return False

    @abstractmethod
    def cancel(self) -> None:
        """Cancel what the server does for this client now; callable from any thread."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection, whatever state it is in."""


class PolledClient(LoadClient):
    """A client that does not wait: many of them share one thread."""

    @abstractmethod
    def fileno(self) -> int:
        """Return the socket to watch."""

    @abstractmethod
    def send(self, prepared: Any, values: Sequence[Any]) -> None:
        """Send a request."""

    @abstractmethod
    def receive(self) -> bool:
        """Read what came; tell whether the answer is complete. An answer that is an error is raised."""


class Workloads:
    """The part of an engine's contract that load tests use."""

    label: str
    polls_clients: bool = False
    backslash_escapes: bool = False
    lock_timeout_marks: tuple[str, ...] = ()

    def open_load_client(self, url: URL, *, read_only: bool = False) -> LoadClient:
        """Open a connection for a load test; each statement commits by itself unless it says BEGIN.

        Parameters
        ----------
        url : sqlalchemy.URL
            The database.
        read_only : bool
            Have the server refuse every write.
        """
        raise UnsupportedFeature(f"migkit cannot put load on {self.label}")

    def connection_limit(self, connection: Connection) -> int | None:
        """Return how many more sessions the server would let in now; ``None`` where there is no limit."""
        return None

    def query_statistics(self, connection: Connection, limit: int) -> list[ServerQuery]:
        """Return what applications asked of this database, the most frequent first."""
        raise UnsupportedFeature(
            f"{self.label} keeps no statistics of the queries it was sent",
            next_step="Give the workload as a file, or let it be derived from the tables: workload='auto'.",
        )

    def sample_column(self, connection: Connection, path: Sequence[str], column: str, count: int) -> list[Any]:
        """Return up to `count` values of a column, drawn from all over the table; NULLs are left out."""
        raise UnsupportedFeature(f"migkit cannot sample values on {self.label}")

    def tells_lock_timeout(self, error: str) -> bool:
        """Tell whether the error of a run says that it did not get a lock in time."""
        return any(mark in error for mark in self.lock_timeout_marks)

    def named_sql(self, sql: str) -> NamedSql:
        r"""Cut a statement at its ``:names``, leaving strings, comments, casts (``::``) and ``\:`` alone."""
        return cut_names(sql, backslashes=self.backslash_escapes)


_QUOTED = r"'(?:[^']|'')*'" r'|"(?:[^"]|"")*"'
_QUOTED_WITH_BACKSLASHES = r"'(?:[^'\\]|''|\\.)*'" r'|"(?:[^"\\]|""|\\.)*"'
_REST = (
    r"|`(?:[^`]|``)*`|\[[^\]\n:]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)"
    r"|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$"
    r"|::|\\:|(?<![:\w]):(?P<name>[A-Za-z_]\w*)"
)
_TOKENS = {
    flag: re.compile(quoted + _REST, re.DOTALL) for flag, quoted in ((False, _QUOTED), (True, _QUOTED_WITH_BACKSLASHES))
}


def cut_names(sql: str, *, backslashes: bool = False) -> NamedSql:
    r"""Cut a statement at its ``:names``.

    Parameters
    ----------
    sql : str
        The statement.
    backslashes : bool
        A backslash escapes in strings.

    Examples
    --------
    >>> cut_names("SELECT a::text FROM t WHERE b = ':x' AND c = :c").names
    ('c',)
    """
    texts, names, last = [""], [], 0
    for found in _TOKENS[backslashes].finditer(sql):
        if found["name"]:
            texts[-1] += sql[last : found.start()]
            names.append(found["name"])
            texts.append("")
        elif found[0] == "\\:":
            texts[-1] += sql[last : found.start()] + ":"
        else:
            continue
        last = found.end()
    texts[-1] += sql[last:]
    return NamedSql(tuple(texts), tuple(names))
