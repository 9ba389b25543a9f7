"""A stall shows in full: what an open loop measures, and what a closed loop would have claimed."""

from __future__ import annotations

import pytest

import migkit as mk
from migkit.database import Database
from tests.load.support import Told, cell, frozen_once, put_load, with_items

RATE = 100.0


def _measured_while_frozen(db: Database, seconds: float, **options: object) -> tuple[mk.LoadResult, float]:
    with frozen_once(with_items(db), seconds) as (freeze, lasted):
        told = Told({"Baseline": freeze})
        result = put_load(db, duration=seconds + 1.5, progress=told, **options)
    assert told.facts, "no second was told live"
    return result, lasted[0]


def _holds_in_full(result: mk.LoadResult, lasted: float) -> None:
    """Requests came at a rate; the one due right away waited for all of it, the last for nothing: rate x t² / 2."""
    due = RATE * lasted
    total_ms = cell(result, "baseline", "read", "total_ms")
    # Nothing may be missing. What a busy machine adds before and after is not the stall's.
    assert total_ms > 0.9 * due * lasted / 2 * 1000
    assert total_ms < 1.6 * due * lasted / 2 * 1000
    assert cell(result, "baseline", "read", "max_ms") > 0.9 * lasted * 1000
    assert cell(result, "baseline", "read", "blocked_ms") > 0.9 * (lasted - 0.1) * 1000
    assert result.timeline["blocked"].max() > 0.4 * RATE
    assert cell(result, "baseline", "read", "errors") == 0
    attempted = cell(result, "baseline", "read", "attempted")
    assert attempted == pytest.approx(RATE * result.phases[0].seconds, abs=0.05 * attempted + 2)


def test_a_stall_shows_in_full(postgresql: Database) -> None:
    _holds_in_full(*_measured_while_frozen(postgresql, 1.0, rate=RATE))


@pytest.mark.slow
def test_a_stall_of_two_seconds_shows_in_full_on_every_engine(db: Database) -> None:
    _holds_in_full(*_measured_while_frozen(db, 2.0, rate=RATE))


@pytest.mark.slow
def test_a_closed_loop_would_have_claimed_next_to_nothing(db: Database) -> None:
    result, lasted = _measured_while_frozen(db, 2.0, rate=None, closed=True)
    stalled = result.timeline.merge(result.statements[["statement", "phase"]])
    assert result.rate is None and result.arrivals == "closed loop"
    # Only the requests that were under way waited, one per client: 4 of hundreds of thousands.
    assert cell(result, "baseline", "read", "p99_ms") < 0.2 * lasted * 1000
    assert cell(result, "baseline", "read", "max_ms") > 0.9 * lasted * 1000
    assert stalled["blocked"].max() <= 4
    assert "stalls in full" in list(result.unchecked["what"])


def test_percentiles_are_those_of_hdr_histograms(postgresql: Database) -> None:
    from hdrh.histogram import HdrHistogram

    result = put_load(with_items(postgresql))
    histogram = HdrHistogram.decode(result.histograms["baseline"]["read"].encode())
    assert histogram.get_total_count() == cell(result, "baseline", "read", "done")
    for column, percentile in (("p50_ms", 50), ("p99_ms", 99), ("p999_ms", 99.9)):
        assert cell(result, "baseline", "read", column) == pytest.approx(
            histogram.get_value_at_percentile(percentile) / 1000, rel=0.002, abs=0.002
        )
