"""MySQL's own tools, which lie where its server does: in a folder with a system of its own."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tests.servers.provision import MYSQL_ROOT

_TOOLS = ("mysqldump", "mysql", "mysqlbinlog")


def write_tools(folder: Path) -> Path | None:
    """Write commands that call them; ``None`` where the server did not come that way."""
    if not (MYSQL_ROOT / "usr/bin/mysqldump").exists() or os.geteuid() != 0:
        return None
    for name in _TOOLS:
        tool = folder / name
        tool.write_text(f'#!/bin/sh\nexec chroot {shlex.quote(str(MYSQL_ROOT))} /usr/bin/{name} "$@"\n')
        tool.chmod(0o755)
    return folder


def path_with(folder: Path) -> str:
    """Return the PATH with a folder before all others."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
