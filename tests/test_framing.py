"""Frames are plain DataFrames that can also be asked for the rows of one table."""

from __future__ import annotations

import copy
import pickle

import pandas as pd
import pytest

from migkit import frames


@pytest.fixture
def columns() -> pd.DataFrame:
    rows = [
        {"schema": "public", "table": "users", "column": "id", "change": "unchanged"},
        {"schema": "public", "table": "users", "column": "name", "change": "added"},
        {"schema": "shop", "table": "users", "column": "id", "change": "unchanged"},
        {"schema": "shop", "table": "column", "column": "x", "change": "unchanged"},
    ]
    return frames.COLUMN_CHANGES.build(rows)


def test_a_table_names_its_rows(columns: pd.DataFrame) -> None:
    assert columns["users"]["column"].tolist() == ["id", "name", "id"]
    assert columns["shop.users"]["column"].tolist() == ["id"]
    assert isinstance(columns["users"], pd.DataFrame)


def test_a_column_of_that_name_comes_first(columns: pd.DataFrame) -> None:
    assert isinstance(columns["column"], pd.Series)
    assert columns["shop.column"]["column"].tolist() == ["x"]
    assert columns[["table", "column"]].shape == (4, 2)
    assert len(columns[columns["change"] == "added"]) == 1


def test_what_is_unknown_is_a_key_error(columns: pd.DataFrame) -> None:
    with pytest.raises(KeyError):
        columns["nothing"]
    assert columns.get("nothing") is None
    assert "users" not in columns


def test_what_is_made_from_it_is_a_plain_frame(columns: pd.DataFrame) -> None:
    made = [columns.copy(), columns.head(1), columns[columns["change"] == "added"], pd.concat([columns, columns])]
    assert {type(frame) for frame in made} == {pd.DataFrame}
    for again in (pickle.loads(pickle.dumps(columns)), copy.deepcopy(columns)):
        pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(columns))


def test_names_complete(columns: pd.DataFrame) -> None:
    offered = columns._ipython_key_completions_()
    assert {"users", "shop.users", "change"} <= set(offered)
    assert frames.FINDINGS.build([])._ipython_key_completions_() == list(frames.FINDINGS.names)


def test_locks_are_named_by_their_relation() -> None:
    locks = frames.LOCKS.build([{"relation": "users", "mode": "AccessExclusiveLock"}, {"relation": None, "mode": "x"}])
    assert len(locks["users"]) == 1
