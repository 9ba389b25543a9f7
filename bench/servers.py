"""Private servers for a measurement, in a folder that goes with them; the user's own embedded one is left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from migkit.database import Database, connect
from tests.servers import Servers, Unavailable
from tests.servers.process import private_folder
from tests.servers.registry import unique_name


@contextmanager
def private_servers() -> Iterator[Servers]:
    """Private servers, in a folder that goes with them."""
    folder = private_folder()
    earlier = os.environ.get("MIGKIT_HOME")
    os.environ["MIGKIT_HOME"] = str(folder / "home")
    servers = Servers(folder)
    try:
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
        if earlier is None:
            del os.environ["MIGKIT_HOME"]
        else:
            os.environ["MIGKIT_HOME"] = earlier


def measure_each(engines: Iterable[str], measure: Callable[[str, Database], bool]) -> bool:
    """Measure on a fresh database of each engine that can be had here; tell whether every bar was reached."""
    reached = True
    with private_servers() as servers:
        for engine in engines:
            try:
                server = servers[engine]
            except Unavailable as reason:
                print(f"  {engine}: not measured, {reason}")
                continue
            with connect(server.create(unique_name())) as database:
                reached = measure(engine, database) and reached
    return reached
