from __future__ import annotations

import re

import pandas as pd
import pytest

from migkit import frames
from migkit.display.figure import figure_png, figure_svg
from migkit.display.load_plots import (
    STATEMENT_LIMIT,
    alt_text_latency_distribution,
    alt_text_latency_over_time,
    latency_distribution,
    latency_over_time,
)
from tests.display.markup import Markup, assert_harmless
from tests.display.samples import HOSTILE, at

pytest.importorskip("matplotlib")


def timeline(names: tuple[str, ...] = ("read", "write"), seconds: int = 9) -> pd.DataFrame:
    phases = ["baseline"] * 3 + ["during"] * 3 + ["after"] * (seconds - 6)
    return frames.TIMELINE.build(
        (second, phase, name, at(second * 1000), 50, 50, 7 * (phase == "after"), 2.0, p99, p99 * 2, 0)
        for name in names
        for second, phase in enumerate(phases)
        for p99 in [900.0 if phase == "during" and name == names[-1] else 4.0]
    )


def migration() -> pd.DataFrame:
    row = {"number": 1, "kind": "ddl", "sql": "ALTER", "started_at": at(3100), "seconds": 2.1, "transaction": "1"}
    return frames.STATEMENTS.build([row | {"outcome": "applied"}])


def percentiles(statement: str = "") -> pd.DataFrame:
    ladder = (0.0, 50.0, 90.0, 99.0, 99.9, 100.0)
    return frames.PERCENTILES.build(
        (phase, statement, share, base * (1 + share / 10), 10)
        for phase, base in (
            ("baseline", 1.0),
            ("during", 300.0),
            ("after", 1.1),
            ("rollback", 2.0),
            ("rolled back", 1.0),
        )
        for share in ladder
    )


def test_the_words_say_who_stalled_and_what_ran_then() -> None:
    told = alt_text_latency_over_time(timeline(), migration())
    assert "write: baseline 4 ms, during 900 ms, after 4 ms with 21 errors" in told
    assert told.index("write:") < told.index("read:")  # the worst comes first
    assert "1 at 3.1 s for 2.10s" in told


def test_words_of_a_distribution() -> None:
    told = alt_text_latency_distribution(percentiles())
    assert "during: p50 1.80s" in told
    assert "longest 3.30s" in told
    assert told.index("baseline") < told.index("during") < told.index("after")


def test_every_panel_and_phase_is_named_in_the_drawing() -> None:
    text = Markup(figure_svg(latency_over_time(timeline(), migration()), "x")).text
    for word in ("read", "write", "baseline", "during", "after", "#1", "21 errors"):
        assert word in text
    text = Markup(figure_svg(latency_distribution(percentiles()), "x")).text
    for word in ("● baseline", "■ during", "▲ after", "◆ rollback", "▼ rolled back"):
        assert word in text


def test_phases_differ_by_more_than_colour() -> None:
    svg = figure_svg(latency_distribution(percentiles()), "x")
    assert len(set(re.findall(r"stroke-dasharray: ([^;\"]+)", svg))) >= 4


def test_of_many_statements_the_worst_are_drawn() -> None:
    names = tuple(f"statement {number}" for number in range(12))
    told = alt_text_latency_over_time(timeline(names))
    assert told.count("baseline") == STATEMENT_LIMIT
    assert "statement 11" in told


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_drawn_as_text(name: str) -> None:
    figure = latency_over_time(timeline((name,)), migration())
    assert_harmless(figure_svg(figure, alt_text_latency_over_time(timeline((name,)))))


def test_nothing_to_draw_is_said() -> None:
    empty = timeline().head(0)
    assert "No request was measured." in Markup(figure_svg(latency_over_time(empty), "x")).text
    assert "No request was measured." in Markup(figure_svg(latency_distribution(percentiles().head(0)), "x")).text
    assert latency_distribution(percentiles("read")).get_label() == "No request was measured."
    assert "p50" in latency_distribution(percentiles("read"), "read").get_label()


def test_seconds_without_an_answer_and_a_single_second_can_be_drawn() -> None:
    unanswered = frames.TIMELINE.build([(0, "during", "read", at(0), 5, 0, 5, None, None, None, 5)])
    assert "during – with 5 errors" in alt_text_latency_over_time(unanswered)
    assert figure_png(latency_over_time(unanswered)).startswith(b"\x89PNG")
    one = frames.PERCENTILES.build([("baseline", "", 100.0, 3.0, 1)])
    assert figure_png(latency_distribution(one)).startswith(b"\x89PNG")


def test_the_same_data_draws_the_same() -> None:
    first, second = (figure_svg(latency_over_time(timeline(), migration()), "x") for _ in range(2))
    assert first == second
