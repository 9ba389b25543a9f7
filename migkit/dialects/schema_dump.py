"""The schema as the engine's own tool writes it, and how such a tool is run beside other work.

A dump is a net below the net: it holds what the catalog queries of this package do not think of. It is not taken
apart any further than its statements; what is noise in it (dates, tokens, versions, the order) is for each dialect to
leave out.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from migkit.errors import PermissionMissing, UnsupportedFeature
from migkit.redaction import redact

# Rows have been read by then; who waits for a lock all that time may wait for ever.
_PATIENCE_SECONDS = 60
_STOP_SECONDS = 10
_DENIED = re.compile(r"permission denied|access denied|command denied|row-level security", re.IGNORECASE)


@dataclass(frozen=True)
class SchemaDump:
    """A schema, as a tool writes it.

    Attributes
    ----------
    made_by : str
        Everything a comparison depends on: the tool and its version, the server's release, what was asked for. Only
        dumps that were made alike compare.
    statements : tuple of (str, str)
        What a statement makes, for people (``TABLE public.users``; never a value), and the statement. Sorted.
    """

    made_by: str
    statements: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, made_by: str, statements: Iterable[tuple[str, str]]) -> SchemaDump:
        """Return a dump of statements in any order."""
        return cls(made_by, tuple(sorted(statements)))


ReadDump = Callable[[], SchemaDump]


class DumpProcess:
    """A dump tool at work in the background; leaving the ``with`` block ends it.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments; never a password.
    variables : mapping
        Its environment.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._command = list(command)
        self._variables = dict(variables)

    def __enter__(self) -> Self:
        # Files, not pipes: nobody reads while it writes.
        self._output = tempfile.TemporaryFile()
        self._problems = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                self._command,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._problems,
                # Ctrl-C is for the capture, which then ends the tool.
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            self._close()
            raise UnsupportedFeature(f"{self._name} cannot be started: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
        finally:
            self._close()

    def text(self) -> str:
        """Wait for the end, and return what the tool wrote.

        Raises
        ------
        PermissionMissing, UnsupportedFeature
            If it failed; with its first error.
        """
        try:
            code = self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise UnsupportedFeature(f"{self._name} did not end within {_PATIENCE_SECONDS} seconds") from None
        if code != 0:
            raise self._failure(code)
        self._output.seek(0)
        return self._output.read().decode("utf-8", "surrogateescape")

    @property
    def _name(self) -> str:
        return Path(self._command[0]).name

    def _failure(self, code: int) -> PermissionMissing | UnsupportedFeature:
        self._problems.seek(0)
        said = self._problems.read(100_000).decode("utf-8", "replace").splitlines()
        # Tools warn before they fail.
        errors = [line for line in said if "error" in line.lower()] or said
        first = " ".join(redact(errors[0]).split()) if errors else f"{self._name} ended with code {code}"
        return PermissionMissing(first) if _DENIED.search(first) else UnsupportedFeature(first)

    def _close(self) -> None:
        self._output.close()
        self._problems.close()
