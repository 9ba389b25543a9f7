"""Buckets, phases and sums: nothing is counted twice, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migkit.dialects.workloads import ClientError
from migkit.load.arrivals import schedule
from migkit.load.histogram import Histogram, ladder
from migkit.load.phases import AFTER, BASELINE, DURING, Phases
from migkit.load.recording import HIGHEST_US, Recorder, buckets_of, highest_of
from migkit.load.tally import Tally
from migkit.load.workload import Workload

ENTRIES = Workload.of("SELECT 1").entries


@given(st.lists(st.integers(0, HIGHEST_US), min_size=1, max_size=50))
def test_a_bucket_is_exact_to_three_digits(values: list[int]) -> None:
    array = np.array(values)
    highest = highest_of(buckets_of(array))
    assert (highest >= array).all()
    assert (highest <= array * 1.001 + 1).all()


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=200), st.sampled_from([50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentiles_agree_with_hdrhistogram(values: list[int], percentile: float) -> None:
    ours = Histogram()
    buckets, counts = np.unique(buckets_of(np.array(values)), return_counts=True)
    ours.add(buckets, counts)
    # Its own formula rounds the wanted count to the nearest; "no more than so many exceed it" is rounding up.
    ordered = sorted(values)
    wanted = max(1, int(np.ceil(percentile / 100 * len(values) - 1e-9)))
    exact = ordered[wanted - 1] / 1000
    assert ours.milliseconds(percentile) == pytest.approx(exact, rel=0.001, abs=0.001)
    assert ours.hdr().get_total_count() == len(values)


def test_the_ladder_climbs_to_the_end() -> None:
    steps = ladder()
    assert steps == sorted(set(steps)) and steps[0] == 0 and steps[-1] == 100
    assert Histogram().percentiles(steps) == []


def test_a_request_that_overlaps_the_migration_belongs_to_it() -> None:
    phases = Phases()
    phases.begin(BASELINE, 0.0)
    phases.begin(DURING, 1.0, claims=True)
    phases.begin(AFTER, 2.0)
    phases.end(3.0)
    due = np.array([-3, 2, 8, 12, 19, 21, 25])
    end = np.array([-2, 3, 10, 13, 24, 22, 26])
    names = [phases.known[number].name if number >= 0 else "warm-up" for number in phases.of_cells(due, end)]
    assert names == ["warm-up", BASELINE, DURING, DURING, DURING, AFTER, AFTER]


def _tally(*requests: tuple[float, float], failed: tuple[tuple[float, float], ...] = ()) -> Tally:
    recorder = Recorder(0, 1_000_000.0)
    tally = Tally(ENTRIES, 1_000_000.0)
    tally.phases.begin(BASELINE, 0.0)
    for due, end in requests:
        recorder.record((0, recorder.begin + due, recorder.begin + end))
    for due, end in failed:
        recorder.failed(0, recorder.begin + due, recorder.begin + end, ClientError("1205", "too long"), "SELECT 1")
    tally.add(recorder.flush(0))
    tally.phases.end(10.0)
    return tally


def test_sums_and_stalls() -> None:
    tally = _tally((-1.0, -0.5), (0.05, 0.06), (1.01, 3.31), (1.51, 3.31), (5.01, 5.31), failed=((6.01, 8.01),))
    (row,) = tally.statements().to_dict("records")
    assert (row["attempted"], row["done"], row["errors"]) == (5, 4, 1)
    assert row["total_ms"] == pytest.approx(10 + 2300 + 1800 + 300 + 2000, abs=1)
    # Two requests stalled at once are one stall.
    assert row["blocked_ms"] == pytest.approx(2300 + 300 + 2000, abs=1)
    assert row["max_ms"] == pytest.approx(2300, rel=0.001)
    (error,) = tally.errors().to_dict("records")
    assert (error["kind"], error["count"], error["message"]) == ("1205", 1, "too long")


def test_seconds_of_a_stall_say_how_many_wait() -> None:
    timeline = _tally((0.55, 2.65), (0.65, 2.65), (1.05, 2.65)).timeline()
    by_second = {row["second"]: row for row in timeline.to_dict("records")}
    assert by_second[0]["attempted"] == 2 and by_second[0]["blocked"] == 2
    assert by_second[1]["attempted"] == 1 and by_second[1]["blocked"] == 3
    assert 2 not in by_second
    assert int(timeline["attempted"].sum()) == 3


def test_a_rate_counts_what_was_answered_in_time() -> None:
    tally = _tally(*((second, second + 6.0) for second in np.arange(0.05, 10, 0.1)))
    assert tally.due(BASELINE) == pytest.approx(10)
    assert tally.answered(BASELINE) == pytest.approx(4, abs=0.11)


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_arrivals_come_at_their_rate(arrivals: str) -> None:
    chance = np.random.default_rng(1)
    moments = schedule(200.0, arrivals, chance, 5.0)  # type: ignore[arg-type]
    taken = np.array([next(moments) for _ in range(20_000)])
    gaps = np.diff(taken)
    assert taken[0] >= 5.0 and (gaps >= 0).all()
    assert taken[-1] - 5 == pytest.approx(100, rel=0.05)
    spread = gaps.std() / gaps.mean()
    assert spread < 0.01 if arrivals == "constant" else spread == pytest.approx(1, abs=0.05)
