"""Commands of the user's that a deploy runs: hooks that stop and start jobs, and smoke tests."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from migkit.redaction import redact

_KEPT_BYTES = 2_000


@dataclass(frozen=True)
class CommandResult:
    """What became of a command.

    Attributes
    ----------
    command : str
        As written.
    succeeded : bool
        It ended with 0 within its time.
    seconds : float
        How long it took.
    told : str
        Why it failed, or the last line it said.
    """

    command: str
    succeeded: bool
    seconds: float
    told: str


def run_command(command: str, timeout: float, variables: Mapping[str, str] | None = None) -> CommandResult:
    """Run one command, without a shell, to its end or for as long as it may take.

    Parameters
    ----------
    command : str
        Words as a shell would split them; what needs a shell says ``sh -c '…'``.
    timeout : float
        Seconds after which it is ended, with all it started.
    variables : mapping, optional
        Added to the environment.

    Returns
    -------
    CommandResult
        How it ended. A command that fails does not raise.
    """
    begun = time.monotonic()
    try:
        words = shlex.split(command)
        if not words:
            return CommandResult(command, False, 0.0, "the command is empty")
        with tempfile.TemporaryFile() as output:
            code = _run(words, timeout, variables or {}, output)
            said = _last_line(output)
    except (OSError, ValueError) as error:
        told = redact(f"it cannot be run: {error}")
        return CommandResult(redact(command), False, time.monotonic() - begun, told)
    seconds = time.monotonic() - begun
    if code is None:
        return CommandResult(redact(command), False, seconds, f"it did not end within {timeout:g} s{_after(said)}")
    if code:
        return CommandResult(redact(command), False, seconds, f"it ended with code {code}{_after(said)}")
    return CommandResult(redact(command), True, seconds, said)


def run_commands(
    commands: Sequence[str], timeout: float, variables: Mapping[str, str] | None = None
) -> list[CommandResult]:
    """Run commands one after the other, up to the first that fails."""
    done: list[CommandResult] = []
    for command in commands:
        done.append(run_command(command, timeout, variables))
        if not done[-1].succeeded:
            break
    return done


def _run(words: list[str], timeout: float, variables: Mapping[str, str], output: IO[bytes]) -> int | None:
    """Return the code it ended with; ``None`` if it had to be ended."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **variables},
        start_new_session=True,
    )
    try:
        return int(process.wait(timeout))
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Ctrl-C and a late end alike: nothing of it goes on.
        if process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _last_line(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _KEPT_BYTES))
    lines = [line.strip() for line in output.read().decode(errors="replace").splitlines() if line.strip()]
    return redact(lines[-1]) if lines else ""


def _after(said: str) -> str:
    return f": {said}" if said else ""
