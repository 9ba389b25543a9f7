"""Programs that go on when migkit has ended: started once, found again, and ended.

A lock that only the program holds says whether it runs; a process id alone might be somebody else's by now.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from migkit.errors import MigkitError, UnsupportedFeature
from migkit.redaction import redact
from migkit.storage import told_where

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_STOP_SECONDS = 10.0
_STEP_SECONDS = 0.05


class Detached:
    """A program that runs on its own, known by the files it has in a folder.

    Parameters
    ----------
    folder : Path
        Where its process id, its lock and what it says lie; private to the user.
    name : str
        What the files are called.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._pid = folder / f"{name}.pid"
        self._lock = folder / f"{name}.lock"
        self.log = folder / f"{name}.log"

    def is_running(self) -> bool:
        """Tell whether the program runs."""
        if fcntl is None or not self._lock.exists():
            return False
        with told_where(self._lock):
            handle = os.open(self._lock, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> bool:
        """Start the program, unless it runs; return whether it was started.

        Parameters
        ----------
        command : sequence of str
            The program and its arguments; no secret is among them.
        variables : mapping
            Its environment.
        """
        if fcntl is None:
            raise UnsupportedFeature("Programs that go on by themselves need a system with file locks")
        with told_where(self._lock):
            handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self._launch(command, variables, handle)
            return True
        finally:
            # The program has inherited it, and with it the lock.
            os.close(handle)

    def _launch(self, command: Sequence[str], variables: Mapping[str, str], lock: int) -> None:
        with told_where(self.log):
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            # Not waited for: it outlives this process.
            process = subprocess.Popen(
                command,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            raise MigkitError(f"{Path(command[0]).name} cannot be started: {error.strerror}") from error
        finally:
            os.close(output)
        # Python would warn of a child that it has not waited for.
        process.returncode = 0
        with told_where(self._pid):
            self._pid.write_text(f"{process.pid}\n", encoding="ascii")

    def stop(self) -> bool:
        """End the program, first by asking; return whether it ran."""
        if not self.is_running():
            return False
        pid = int(self._pid.read_text(encoding="ascii"))
        for sign in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)  # where it is a child of this process, it would stay a zombie
                if not self.is_running():
                    self._pid.unlink(missing_ok=True)
                    return True
                time.sleep(_STEP_SECONDS)
        raise MigkitError("The recorder does not end", where=f"process {pid}", next_step="End it yourself.")

    def said(self) -> str:
        """Return the last line the program wrote, without secrets; empty if none."""
        if not self.log.exists():
            return ""
        lines = [line for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return redact(lines[-1]) if lines else ""
