"""Private servers for a measurement, in a folder that goes with them; the user's own embedded one is left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers import Servers
from tests.servers.process import private_folder


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
