"""Kill deploys at every journalled moment and at random ones, on every engine, and count what survives."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.faults.elsewhere import cut_connections, fill_disk, restart_server
from bench.faults.injections import Injected, Injector, pause
from bench.faults.subject import Subject
from bench.servers import private_servers
from tests.servers import Servers, Unavailable
from tests.servers.registry import unique_name
from tests.servers.tools import path_with, write_tools

ENGINES = ("sqlite", "postgresql", "mysql", "mariadb")
KILLS = 60
# What is deployed, and how it is taken back: each leads through other steps of the journal.
WAYS = (("good", "transaction,down,backup"), ("losing", "backup"), ("failing", "transaction,down,backup"))
_RANDOM_SHARE = 4


def main(engines: Sequence[str] = (), *, kills: int = KILLS, every: int = 1, only: str = "") -> bool:
    """Print survived / injected per engine; tell whether it is all."""
    reached = True
    with private_servers() as servers:
        for engine in engines or ENGINES:
            begun = time.perf_counter()
            try:
                injected = list(_injected(engine, servers, kills, every, only))
            except Unavailable as reason:
                print(f"  {engine}: not measured, {reason}")
                continue
            survived = sum(one.survived for one in injected)
            seconds = time.perf_counter() - begun
            print(f"  {engine}: survived {survived} / {len(injected)} injected ({seconds:.0f} s)", flush=True)
            reached = reached and survived == len(injected) > 0
    return reached


def _use_its_tools() -> None:
    """Let MySQL's own dump tool be found before one of the same name that writes for another server."""
    tools = write_tools(Path(tempfile.mkdtemp(prefix="tools-", dir=Path(os.environ["MIGKIT_HOME"]).parent)))
    if tools is not None:
        os.environ["PATH"] = path_with(tools)


def _injected(engine: str, servers: Servers, kills: int, every: int, only: str) -> Iterator[Injected]:
    for one in all_faults(engine, servers, kills=kills, every=every, only=only):
        if not one.survived:
            print(f"    ✗ {one.name}: {'; '.join(one.problems)} — {one.told}", flush=True)
        yield one


def all_faults(engine: str, servers: Servers, *, kills: int, every: int, only: str = "") -> Iterator[Injected]:
    """Inject every fault into one engine."""
    server = servers[engine]
    if engine == "mysql":
        _use_its_tools()
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=Path(os.environ["MIGKIT_HOME"]).parent))
    subject = Subject.make(engine, server.create(unique_name()), folder)
    injector = Injector(subject, subject.writer())
    done = 0
    if "kill".startswith(only) or not only:
        for migration, strategy in WAYS:
            begun = time.monotonic()
            moments = injector.moments(migration, strategy)
            took = time.monotonic() - begun
            for index in range(0, len(moments), every):
                yield injector.kill_at(migration, strategy, index, moments[index])
                done += 1
            for _ in range(max(1, len(moments) // (every * _RANDOM_SHARE))):
                yield injector.kill_after(migration, strategy, pause(0.0, took))
                done += 1
        while done < kills // every:
            yield injector.kill_after("good", WAYS[0][1], pause(0.0, took))
            done += 1
    if "cut".startswith(only) or not only:
        yield from cut_connections(injector)
    if "disk".startswith(only) or not only:
        yield from fill_disk(injector)
    if "server".startswith(only) or not only:
        yield from restart_server(injector, server)
