from __future__ import annotations

import pytest

from migkit.display import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0004, "<0.01s"),
        (0.005, "0.01s"),
        (0.12, "0.12s"),
        (9.994, "9.99s"),
        (9.996, "10.0s"),
        (59.94, "59.9s"),
        (59.96, "1 min 0 s"),
        (123.4, "2 min 3 s"),
        (3599.6, "1 h 0 min"),
        (90_000.0, "1 d 1 h"),
        (-0.5, "−0.50s"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0 ms"),
        (0.001, "<0.01 ms"),
        (0.25, "0.25 ms"),
        (9.999, "10 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00s"),
        (None, "–"),
    ],
)
def test_milliseconds(number: float | None, text: str) -> None:
    assert units.milliseconds(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (123_456_789, "123 MB"), (None, "–")],
)
def test_sizes(number: int | None, text: str) -> None:
    assert units.size(number) == text


def test_counts_keep_every_digit_of_large_integers() -> None:
    assert units.count(9_007_199_254_740_993) == "9,007,199,254,740,993"
    assert units.signed(-1000) == "−1,000"
    assert units.plural(2, "index", "indexes") == "2 indexes"
