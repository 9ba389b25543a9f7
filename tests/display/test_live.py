"""Work that goes on: collected from threads, drawn live, frozen at the end; nothing in it runs."""

from __future__ import annotations

import re
import sys
import threading
import types
from datetime import UTC, datetime
from typing import Any

import pytest

from migkit.display.curves import curves_html
from migkit.display.live import KEPT_LINES, Live, Ticker
from migkit.display.live_view import SHOWN_LINES, ended_html, live_html, moment_text
from migkit.display.notebook import NotebookProgress, notebook_shell
from migkit.display.progress import PlainProgress, default_progress
from migkit.display.timeline import timeline_html
from migkit.progress import LiveProgress, tell
from tests.display.markup import assert_harmless
from tests.display.samples import HOSTILE, at

LONG = 30.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lock(relation: str = "users", start: float = 0, end: float | None = 500, blocks: str = "reads and writes") -> Any:
    return {
        "relation": relation,
        "mode": "AccessExclusiveLock",
        "blocks": blocks,
        "granted_at": at(start),
        "released_at": None if end is None else at(end),
    }


def test_it_keeps_the_protocol() -> None:
    assert isinstance(Live(), LiveProgress)


def test_a_stage_shows_its_share_and_its_time() -> None:
    clock = Clock()
    live = Live(clock)
    live.begin("Reading rows", 2000)
    live.advance(500)
    clock.now = 3
    markup = assert_harmless(live_html(live.moment()))
    assert "Reading rows 500 of 2,000 · 3.00s" in markup.text
    assert ("div", "aria-valuenow", "25") in markup.attributes
    live.close()
    assert "progressbar" not in live_html(live.moment())


def test_more_than_was_announced_is_no_more_than_all() -> None:
    live = Live()
    live.begin("Reading", 10)
    live.advance(25)
    assert 'aria-valuenow="100"' in live_html(live.moment())


def test_threads_may_report_together() -> None:
    live = Live()
    live.begin("Reading", 8000)
    workers = [threading.Thread(target=lambda: [live.advance() for _ in range(1000)]) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert live.moment().done == 8000


def test_long_work_shows_its_last_steps_and_keeps_a_bounded_number() -> None:
    live = Live()
    for number in range(KEPT_LINES + 50):
        live.note("✓", f"Step {number}")
    html = live_html(live.moment())
    assert html.count("<li>") == SHOWN_LINES
    assert f"{KEPT_LINES + 50 - SHOWN_LINES} earlier steps" in html
    assert len(live_html(live.moment()).encode()) < 20_000
    assert "50 earlier steps" in ended_html(live.moment(ended=True), "done")


def test_the_end_is_said_in_words_and_the_steps_are_folded() -> None:
    clock = Clock()
    live = Live(clock)
    live.note("✓", "Clone")
    clock.now = 4
    live.note("✓", "Ran up")
    clock.now = 60  # what the cell did afterwards is not its time
    moment = live.moment(ended=True)
    done = ended_html(moment, "done")
    assert "Done after 4.00s · 2 steps" in assert_harmless(done).text
    assert "<details>" in done
    assert "<details open>" in ended_html(moment, "interrupted")
    assert moment_text(moment, "done").splitlines() == ["✓ Clone", "✓ Ran up", "✓ done after 4.00s"]


def test_names_from_outside_are_text_everywhere() -> None:
    live = Live()
    for name in HOSTILE:
        live.note("✗", name)
        live.begin(name, 3)
        tell(live, "lock", lock(name))
        wait = {"waiter": 1, "relation": name, "waiter_query": name, "started_at": at(1), "ended_at": at(2)}
        tell(live, "wait", wait | {"waited_ms": 1.0})
        tell(live, "statement", {"number": 1, "kind": "ddl", "summary": name, "started_at": at(5)})
        tell(live, "load", {"second": 1, "phase": name, "statement": "", "started_at": at(0), "done": 1})
    assert_harmless(live_html(live.moment()))
    assert_harmless(ended_html(live.moment(ended=True), "failed"))


def test_a_lock_that_is_held_grows_until_it_is_released() -> None:
    live = Live()
    live.fact("lock", lock(end=None))
    assert "so far, blocks reads and writes" in timeline_html(live.moment())
    live.fact("lock", lock(end=500))
    words = assert_harmless(timeline_html(live.moment(ended=True), is_over=True)).text
    assert "500 ms, blocks reads and writes" in words
    assert "so far" not in words


def test_locks_that_say_nothing_are_left_out() -> None:
    live = Live()
    live.fact("lock", lock(blocks="schema changes"))
    assert timeline_html(live.moment()) == ""
    live.fact("lock", lock("users"))
    live.fact("lock", lock("users", 10, 400, blocks="writes") | {"mode": "ShareLock"})
    live.fact("lock", lock("profiles"))
    live.fact("statement", {"number": 1, "summary": "Created table profiles", "kind": "ddl", "started_at": at(0)})
    rows = re.findall(r'<th scope="row">(.*?)</th>', timeline_html(live.moment(), is_over=True))
    assert rows == ["users"]


def test_many_locks_and_waits_are_few_lanes() -> None:
    live = Live()
    for number in range(2000):
        live.fact("lock", lock(f"t{number}", number, number + 10))
        wait = {"waiter": number, "relation": f"t{number}", "started_at": at(number), "ended_at": at(number + 5)}
        live.fact("wait", wait | {"waited_ms": 5.0})
    html = timeline_html(live.moment(), is_over=True)
    assert html.count('<th scope="row">') <= 13
    assert len(html.encode()) < 20_000


def test_what_the_server_says_of_a_statement_is_shown_while_it_is_news() -> None:
    live = Live()
    row = {"session": 7, "statement": 1, "command": "CREATE INDEX", "relation": HOSTILE[1], "phase": "building index"}
    live.fact("progress", row | {"done": 30, "total": 60, "ended_at": datetime.now(UTC)})
    words = assert_harmless(live_html(live.moment())).text
    assert f"CREATE INDEX on {HOSTILE[1]}: building index, 50 %" in words
    live.fact("progress", row | {"done": 30, "total": 60, "ended_at": at(0)})
    assert "CREATE INDEX" not in live_html(live.moment())


def test_curves_tell_their_figures_in_words() -> None:
    rows = [
        {
            "second": second,
            "phase": "baseline" if second < 3 else "during",
            "statement": "",
            "started_at": at(second * 1000),
            "done": 100 - second,
            "p50_ms": 1.0,
            "p99_ms": 5.0 * second,
            "blocked": second,
        }
        for second in range(6)
    ]
    statements = [{"kind": "ddl", "summary": "Created index x", "started_at": at(3200)}]
    html = curves_html(rows, statements)
    assert "throughput over 6 seconds: 95/s now, at most 100/s" in html
    assert "during" in html
    assert "Created index x" in html
    assert curves_html([]) == ""


def test_a_ticker_draws_until_it_is_stopped() -> None:
    drawn = threading.Event()
    ticker = Ticker(drawn.set, seconds=0.01)
    ticker.start()
    assert drawn.wait(LONG)
    ticker.stop()
    drawn.clear()
    assert not drawn.wait(0.05)


# --- in a cell --------------------------------------------------------------------------------------------------------


class Events:
    def __init__(self) -> None:
        self.callbacks: list[Any] = []

    def register(self, name: str, callback: Any) -> None:
        assert name == "post_run_cell"
        self.callbacks.append(callback)

    def unregister(self, _name: str, callback: Any) -> None:
        self.callbacks.remove(callback)


class Shell:
    """As much of a notebook's shell as the renderer uses; `watched` as JupyterLab asks, else as papermill does."""

    def __init__(self, watched: bool = True) -> None:
        self.events = Events()
        self.published: list[dict[str, Any]] = []
        self.display_pub = types.SimpleNamespace(publish=lambda **message: self.published.append(message))
        self.kernel = types.SimpleNamespace(get_parent=lambda: {"content": {"allow_stdin": watched}})

    def end_cell(self, error: BaseException | None = None) -> None:
        for callback in list(self.events.callbacks):
            callback(types.SimpleNamespace(error_in_exec=error))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    made = Shell()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: made))
    return made


def test_one_block_per_cell_is_replaced_in_place_and_frozen(shell: Shell) -> None:
    progress = default_progress()
    assert default_progress() is progress
    progress.note("✓", "Clone")
    progress.begin("Reading")
    shell.end_cell()
    first, last = shell.published[0], shell.published[-1]
    assert not first["update"]
    assert last["update"]
    assert {message["transient"]["display_id"] for message in shell.published} == {first["transient"]["display_id"]}
    assert "Done after" in last["data"]["text/html"]
    assert last["data"]["text/plain"].startswith("✓ Clone\n✓ done after")
    assert not any("widget" in kind for message in shell.published for kind in message["data"])
    assert not shell.events.callbacks
    other = default_progress()
    assert other is not progress
    shell.end_cell()


def test_what_is_over_in_a_moment_leaves_nothing(shell: Shell) -> None:
    progress = default_progress()
    progress.begin("Capturing")
    progress.close()
    shell.end_cell()
    assert shell.published == []


@pytest.mark.parametrize(("error", "words"), [(KeyboardInterrupt(), "Interrupted"), (ValueError("x"), "Failed")])
def test_a_cell_that_breaks_off_says_so(shell: Shell, error: BaseException, words: str) -> None:
    default_progress().note("✓", "Clone")
    shell.end_cell(error)
    assert f"{words} after" in shell.published[-1]["data"]["text/html"]


def test_it_lives_while_the_cell_blocks(shell: Shell) -> None:
    progress = NotebookProgress.of_cell(shell)
    progress.note("✓", "Clone")
    progress.begin("Reading", 10)
    progress.advance(7)
    shown = threading.Event()
    publish = shell.display_pub.publish

    def watch(**message: Any) -> None:
        publish(**message)
        if "7 of 10" in message["data"]["text/html"]:
            shown.set()

    shell.display_pub.publish = watch
    assert shown.wait(LONG)
    shell.end_cell()


def test_a_notebook_that_nobody_watches_gets_lines(shell: Shell) -> None:
    shell.kernel = Shell(watched=False).kernel
    assert notebook_shell() is None
    assert isinstance(default_progress(), PlainProgress)
