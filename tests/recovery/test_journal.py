"""The journal of steps: durable before and after each step, readable after a kill anywhere, without secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from migkit.errors import MigkitError, StateUnreadable
from migkit.recovery.journal import StepJournal, read_journal, watched
from migkit.recovery.journal_reading import FILE_NAME
from migkit.redaction import register_secret

KILLED = """
import os, signal, sys
from pathlib import Path
from migkit.recovery.journal import StepJournal, watched

def die(moment, name):
    if (moment, name) == (sys.argv[2], sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

with watched(die):
    journal = StepJournal.create(Path(sys.argv[1]), kind="deploy", database="shop", place="sqlite:///shop.db")
    for name in ("one", "two"):
        with journal.step(name, size=1) as learned:
            learned["seen"] = 2
    journal.finish("done")
"""


@pytest.mark.parametrize(
    ("moment", "states"),
    [
        ("before", {"one": "done"}),
        ("started", {"one": "done", "two": "started"}),
        ("worked", {"one": "done", "two": "started"}),
        ("ended", {"one": "done", "two": "done"}),
    ],
)
def test_a_kill_anywhere_leaves_what_was_known(tmp_path: Path, moment: str, states: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment, "two"], check=False)
    assert done.returncode == -9
    [reading] = StepJournal.unfinished(tmp_path)
    assert {step.name: step.state for step in reading.steps} == states
    assert (reading.outcome, reading.is_running) == (None, False)
    assert reading.last("one").facts == {"size": 1, "seen": 2}  # type: ignore[union-attr]


def create(folder: Path, **facts: object) -> StepJournal:
    return StepJournal.create(folder, kind="restore", database="shop", place="sqlite:///shop.db", **facts)


def test_finished_work_is_not_found_again(tmp_path: Path) -> None:
    journal = create(tmp_path / "a")
    with journal.step("one"):
        pass
    journal.finish("done")
    assert StepJournal.unfinished(tmp_path, tmp_path / "nowhere") == []
    assert read_journal(tmp_path / "a" / FILE_NAME).outcome == "done"


def test_live_work_is_said_to_be_alive_and_is_not_resumed(tmp_path: Path) -> None:
    with create(tmp_path):
        [reading] = StepJournal.unfinished(tmp_path)
        assert reading.is_running
        assert f"process {os.getpid()}" in reading.owner
        with pytest.raises(MigkitError, match="Another process works on this"):
            StepJournal.resume(reading.path)


def test_a_failed_step_says_why(tmp_path: Path) -> None:
    with create(tmp_path) as journal, pytest.raises(ZeroDivisionError), journal.step("one") as learned:
        learned["half"] = True
        raise ZeroDivisionError("it broke")
    [reading] = StepJournal.unfinished(tmp_path)
    [step] = reading.steps
    assert (step.state, step.error, step.facts) == ("failed", "it broke", {"half": True})
    assert not reading.done("one")
    assert reading.may_have_begun("one")


def test_every_cut_of_the_last_line_is_as_if_it_was_never_begun(tmp_path: Path) -> None:
    with create(tmp_path) as journal, journal.step("one"):
        whole = journal.path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    path = tmp_path / "cut" / FILE_NAME
    path.parent.mkdir()
    for length in range(start, len(whole)):
        path.write_bytes(whole[:length])
        assert read_journal(path).steps == ()
    path.write_bytes(whole)
    assert [step.state for step in read_journal(path).steps] == ["started"]


def test_resuming_cuts_a_torn_line_and_counts_on(tmp_path: Path) -> None:
    with create(tmp_path) as journal, journal.step("one"):
        pass
    with journal.path.open("ab") as file:
        file.write(b'{"event": "start", "st')
    with StepJournal.resume(journal.path) as again, again.step("undo-one"):
        pass
    assert [(step.number, step.name) for step in read_journal(journal.path).steps] == [(1, "one"), (2, "undo-one")]


def test_damage_elsewhere_is_told(tmp_path: Path) -> None:
    with create(tmp_path) as journal, journal.step("one"):
        pass
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(lines[0] + lines[1][:9] + b"\n" + lines[2])
    with pytest.raises(StateUnreadable, match="damaged"):
        read_journal(journal.path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE_NAME).write_text("{}\n")
    with pytest.raises(StateUnreadable, match="no journal"):
        read_journal(tmp_path / "other" / FILE_NAME)


def test_no_secret_is_written(tmp_path: Path) -> None:
    register_secret("hun\"ter'2")
    with create(tmp_path, url="postgresql://app:other@db/app") as journal, journal.step("one", why=["hun\"ter'2"]):
        pass
    text = journal.path.read_text()
    assert "other" not in text
    assert "ter'2" not in text
    assert all(json.loads(line) for line in text.splitlines())


def test_a_step_that_cannot_be_noted_does_not_start_unless_it_takes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = create(tmp_path)
    real = os.write

    def torn(handle: int, data: bytes) -> int:
        if real(handle, data[:4]):
            monkeypatch.setattr(os, "write", refused)
        return 4

    def refused(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    worked = []
    monkeypatch.setattr(os, "write", torn)
    with pytest.raises(MigkitError, match="No space left"), journal.step("one"):
        worked.append("one")
    monkeypatch.setattr(os, "write", torn)
    with journal.step("read-only-off", required=False):
        worked.append("off")
    monkeypatch.setattr(os, "write", real)
    assert worked == ["off"]
    assert "No space left" in str(journal.trouble)
    with journal.step("three"):
        pass
    journal.close()
    assert [step.name for step in read_journal(journal.path).steps] == ["three"]


def test_moments_come_in_order(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    with (
        watched(lambda moment, name: told.append((moment, name))),
        create(tmp_path) as journal,
        journal.step("outer"),
        journal.step("inner"),
    ):
        pass
    assert told == [
        ("before", "outer"),
        ("started", "outer"),
        ("before", "inner"),
        ("started", "inner"),
        ("worked", "inner"),
        ("ended", "inner"),
        ("worked", "outer"),
        ("ended", "outer"),
    ]


def test_two_journals_do_not_share_a_folder(tmp_path: Path) -> None:
    with create(tmp_path):
        pass
    with pytest.raises(MigkitError, match="cannot be written"):
        create(tmp_path)


def test_what_an_error_said_may_hold_any_character(tmp_path: Path) -> None:
    said = "a\u2028b\u0085c\u2029d\x1ee"
    with create(tmp_path / "a") as journal, pytest.raises(ValueError, match="a"), journal.step("one"):
        raise ValueError(said)
    [reading] = StepJournal.unfinished(tmp_path)
    assert reading.steps[0].error == said


@pytest.mark.parametrize("written", [b"", b'{"event": "beg'])
def test_who_was_killed_before_the_first_line_leaves_nothing_to_recover(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / FILE_NAME).write_bytes(written)
    create(tmp_path / "b").close()
    assert [one.path.parent.name for one in StepJournal.unfinished(tmp_path)] == ["b"]


def test_what_came_to_its_end_meanwhile_is_not_resumed(tmp_path: Path) -> None:
    journal = create(tmp_path / "a")
    journal.finish("done")
    with pytest.raises(MigkitError, match="brought this to its end"):
        StepJournal.resume(journal.path)
