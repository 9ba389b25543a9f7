"""Processes that do not outlive the test session, and folders that the next session sweeps up if this one is killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER_PREFIX = "migkit-tests-"
START_TIMEOUT_SECONDS = 60.0


class Unavailable(Exception):
    """A server that cannot be had here; the message says why."""


def private_folder(parent: Path | None = None) -> Path:
    """Make a folder of this process's own that other users (a server's) can reach; sweep those of dead processes."""
    parent = parent or _temporary()
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-", dir=parent))
    folder.chmod(0o755)
    return folder


def _temporary() -> Path:
    """The folder for temporary files; sockets lie in it, and their paths may have no more than about 100 characters."""
    usual, short = Path(tempfile.gettempdir()), Path("/tmp")
    return short if len(str(usual)) > 30 and short.is_dir() else usual


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def free_port() -> int:
    """Return a port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def as_user(user: str | None, command: Sequence[str], *, death_signal: str | None = None) -> list[str]:
    """Return the command as run by another user (root only), and sent `death_signal` when this process dies."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if user is not None:
            raise Unavailable("setpriv (util-linux) is missing, so a server cannot be run as another user")
        return list(command)
    # setpriv sets the death signal after it changed the user, which would clear it.
    identity = ["--reuid", user, "--regid", user, "--clear-groups"] if user else []
    death = ["--pdeathsig", death_signal] if death_signal else []
    return [setpriv, *identity, *death, "--", *command] if identity or death else list(command)


def run(command: Sequence[str], what: str, *, timeout_seconds: float = 120) -> None:
    """Run a command to its end; its output is the reason if it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", timeout=timeout_seconds, check=False
    )
    if done.returncode:
        raise Unavailable(f"{what} failed: {(done.stderr or done.stdout).strip()[-600:]}")


@dataclass
class Process:
    """A running server.

    Parameters
    ----------
    popen : subprocess.Popen
        The server itself, leader of a process group of its own.
    log : Path
        Where it writes.
    stop_signal : signal.Signals
        The quickest way to end it; its data is thrown away.
    """

    popen: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.popen.pid

    def is_running(self) -> bool:
        """Tell whether the server still runs."""
        return self.popen.poll() is None

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        if self.is_running():
            self.popen.send_signal(self.stop_signal)
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`; a server that ends first, or takes too long, is stopped and its log is the reason."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self.is_running() and time.monotonic() < deadline:
            if ready():
                return
            time.sleep(0.05)
        self.stop()
        raise Unavailable(f"the server did not start: {self.log.read_text(errors='replace').strip()[-600:]}")


def start(command: Sequence[str], *, log: Path, stop_signal: signal.Signals, user: str | None = None) -> Process:
    """Start a server that dies with this process."""
    with log.open("ab") as output:
        popen = subprocess.Popen(
            as_user(user, command, death_signal=stop_signal.name.removeprefix("SIG")),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )
    return Process(popen, log, stop_signal)
