"""Ctrl-C while a clone is made leaves no database behind."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from migkit.clone.scratch import clone
from migkit.database import Database


def test_ctrl_c_before_the_url_is_known(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = type(postgresql.dialect)
    make = dialect.create_scratch
    made: list[str] = []

    def interrupted(self: object, home: URL | None, name: str) -> URL:
        make(postgresql.dialect, home, name)
        made.append(name)
        raise KeyboardInterrupt

    monkeypatch.setattr(dialect, "create_scratch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clone(postgresql, into=postgresql, schema_only=True)
    assert made
    assert not set(made) & set(postgresql.dialect.list_scratch(postgresql.engine.url))
