"""Run a project's env.py as it is, with every connection it opens led to the database migkit works on.

Whatever engine env.py builds, from whatever URL, synchronous or not: as long as a redirection is in force in the
present thread, connecting gives a connection of migkit's engine, and the project's own server is never contacted.
"""

from __future__ import annotations

import logging
import logging.config
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import PoolProxiedConnection

from migkit.migration.sessions import OURS

_lock = threading.Lock()
_targets: dict[int, Engine] = {}

_connect = Engine.connect
_raw_connection = Engine.raw_connection
_configurers = {name: getattr(logging.config, name) for name in ("fileConfig", "dictConfig")}


@contextmanager
def redirected(engine: Engine) -> Iterator[None]:
    """Lead this thread's connections of foreign engines to `engine`, and keep its logging settings to itself."""
    thread = threading.get_ident()
    with _lock:
        if not _targets:
            _install()
        _targets[thread] = engine
    try:
        with _logging_kept():
            yield
    finally:
        with _lock:
            del _targets[thread]
            if not _targets:
                _uninstall()


def _target(engine: Engine) -> Engine | None:
    return None if engine.get_execution_options().get(OURS) else _targets.get(threading.get_ident())


def _connect_there(self: Engine) -> Connection:
    return _connect(_target(self) or self)


def _raw_connection_there(self: Engine) -> PoolProxiedConnection:
    return _raw_connection(_target(self) or self)


def _configurer(original: Callable[..., Any]) -> Callable[..., Any]:
    def configure(*arguments: Any, **options: Any) -> Any:
        # Configuring closes every handler there is, the notebook's too.
        if threading.get_ident() not in _targets:
            return original(*arguments, **options)
        return None

    return configure


def _install() -> None:
    setattr(Engine, "connect", _connect_there)  # noqa: B010  # assigning to a method is what type checkers refuse
    setattr(Engine, "raw_connection", _raw_connection_there)  # noqa: B010
    for name, original in _configurers.items():
        setattr(logging.config, name, _configurer(original))


def _uninstall() -> None:
    setattr(Engine, "connect", _connect)  # noqa: B010
    setattr(Engine, "raw_connection", _raw_connection)  # noqa: B010
    for name, original in _configurers.items():
        setattr(logging.config, name, original)


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Put levels and handlers back as they were, whatever a project's code did to them."""
    root = logging.getLogger()
    loggers = [root, *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, one.level, one.disabled, one.propagate, list(one.handlers)) for one in loggers]
    try:
        yield
    finally:
        for logger, level, disabled, propagate, handlers in before:
            logger.setLevel(level)
            logger.disabled, logger.propagate, logger.handlers = disabled, propagate, handlers


@contextmanager
def project_on_path(home: Path, entries: list[str]) -> Iterator[None]:
    """Let a project's modules be imported for a while, writing nothing into its folder and leaving none behind.

    Parameters
    ----------
    home : Path
        The folder of its alembic.ini.
    entries : list of str
        Its ``prepend_sys_path``, relative to `home`.
    """
    path, writes, modules = list(sys.path), sys.dont_write_bytecode, set(sys.modules)
    sys.path[:0] = [str((home / entry).resolve()) for entry in entries]
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = path
        sys.dont_write_bytecode = writes
        for name in [name for name in sys.modules if name not in modules and _belongs_to(name, home)]:
            # Another project's 'app', or this one's after an edit, must not meet the one of today.
            del sys.modules[name]


def _belongs_to(module: str, home: Path) -> bool:
    top = sys.modules.get(module.partition(".")[0])
    file = getattr(top, "__file__", None)
    return file is not None and home.resolve() in Path(file).resolve().parents and "site-packages" not in file
