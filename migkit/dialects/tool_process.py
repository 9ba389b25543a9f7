"""A client program that writes or reads a backup: streamed to and from the disk, stopped if the work is broken off."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import zstandard

from migkit.errors import BackupFailed
from migkit.redaction import redact
from migkit.stopping import LOOK_SECONDS, check

_CHUNK = 1 << 20
_STOP_SECONDS = 10
# Of what a tool says, that much is kept to find its error in.
_KEPT_LINES = 400


class ToolProcess:
    """One run of a client program, as a context: left by an error, the program is ended.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments; never a password.
    variables : mapping
        Its environment.
    output : Path, optional
        Where its standard output goes, compressed on the way; it never lies in memory as a whole.
    source : Path, optional
        A file that such a run wrote: its standard input.
    on_line : callable, optional
        Called with each line it says on its standard error stream, in a thread of its own.
    """

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        output: Path | None = None,
        source: Path | None = None,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.name = Path(command[0]).name
        self.said: list[str] = []
        self._command = list(command)
        self._variables = dict(variables)
        self._output, self._source = output, source
        self._on_line = on_line
        self._trouble: BaseException | None = None

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                self._command,
                env=self._variables,
                stdin=subprocess.PIPE if self._source else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._output else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Ctrl-C is for the work as a whole, which then ends the tool.
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise BackupFailed(f"{self.name} cannot be started: {error.strerror}") from None
        work: list[Callable[[], None]] = [self._listen]
        if self._output:
            work.append(self._save)
        if self._source:
            work.append(self._feed)
        self._threads = [threading.Thread(target=self._guarded, args=(one,), daemon=True) for one in work]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process.poll() is None:
                self._stop()
            for thread in self._threads:
                thread.join()
        finally:
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                _close(stream)

    @property
    def is_running(self) -> bool:
        """Whether the program still runs."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait for the end, and return the program's exit code; an error of reading or writing files is raised."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(LOOK_SECONDS)
                check()
        code = self._process.wait()
        if self._trouble is not None:
            raise self._trouble
        return code

    def first_error(self) -> str:
        """Return the first error the program told, as one line without secrets."""
        errors = [line for line in self.said if "error" in line.lower()]
        # Tools warn before they fail.
        told = errors or [line for line in self.said if "warning" not in line.lower()] or self.said
        first = next((line for line in told if line.strip()), f"it ended with code {self._process.returncode}")
        after = self.said[self.said.index(first) + 1 :][:1] if first in self.said else []
        detail = [line for line in after if ": detail:" in line]
        return redact(" ".join(" ".join([first, *detail]).split()).removeprefix(f"{self.name}: ").strip())

    def _stop(self) -> None:
        """End the program: asked first, so that it cancels what runs on the server."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BrokenPipeError:
            return  # the program has ended; its exit code and its words say why
        except BaseException as error:
            self._trouble = self._trouble or error
            self._process.kill()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self.said.append(line)
            if len(self.said) > _KEPT_LINES and "error" not in line.lower():
                del self.said[_KEPT_LINES // 2]
            self._on_line(line)

    def _save(self) -> None:
        assert self._output is not None and self._process.stdout is not None
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        with self._output.open("wb") as file:
            with compressor.stream_writer(file, closefd=False) as writer:
                while chunk := self._process.stdout.read(_CHUNK):
                    writer.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    def _feed(self) -> None:
        assert self._source is not None and self._process.stdin is not None
        try:
            with self._source.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
                while chunk := reader.read(_CHUNK):
                    self._process.stdin.write(chunk)
        finally:
            _close(self._process.stdin)


def _close(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except BrokenPipeError:
        return  # what it had not read yet is nobody's concern any more
