from __future__ import annotations

import io
import os
import pty
import threading

from migkit.display.progress import PlainProgress, TerminalProgress, default_progress
from migkit.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, clock)
    progress.begin("Reading rows", 2000)
    progress.advance(10)
    clock.now = 11
    progress.advance(490)
    progress.advance(1)
    progress.note("✓", "Created table users (0.12s)")
    progress.close()
    assert stream.getvalue().splitlines() == [
        "· Reading rows …",
        "· Reading rows: 500 of 2,000 (25 %)",
        "✓ Created table users (0.12s)",
    ]


def test_secrets_and_terminal_sequences_do_not_reach_the_log() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.begin("Reaching postgresql://app:hunter2@db/x\x1b[2J")
    progress.note("✗", "password=hunter3\nnext line")
    assert stream.getvalue() == "· Reaching postgresql://app:***@db/x\\x1b[2J …\n✗ password=*** next line\n"


def test_a_narrow_encoding_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    PlainProgress(stream).note("✓", "Table ünï: 1 → 2 rows")
    assert raw.getvalue() == b"ok Table \\xfcn\\xef: 1 -> 2 rows\n"
    stream.close()


def test_the_stream_decides() -> None:
    assert isinstance(default_progress(io.StringIO()), PlainProgress)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        assert isinstance(default_progress(terminal), TerminalProgress)
    os.close(ours)


def test_both_renderers_keep_the_protocol() -> None:
    assert isinstance(PlainProgress(io.StringIO()), Progress)
    assert isinstance(TerminalProgress(io.StringIO()), Progress)


def test_a_terminal_shows_notes_and_clears_its_bar() -> None:
    stream = io.StringIO()
    progress = TerminalProgress(stream)
    progress.note("✓", "before any stage")
    progress.begin("Reading {rows}", 10)
    progress.advance(4)
    progress.note("✓", "Created table users (0.12s)")
    progress.begin("Waiting")
    progress.close()
    progress.close()
    text = stream.getvalue()
    assert "✓ before any stage\n" in text
    assert "Reading {rows}" in text
    assert "✓ Created table users (0.12s)\n" in text
    assert text.endswith("\r")


def test_threads_may_advance_together() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, clock)
    progress.begin("Reading", 8000)
    workers = [threading.Thread(target=lambda: [progress.advance() for _ in range(1000)]) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    clock.now = 20
    progress.advance(0)
    assert stream.getvalue().endswith("8,000 of 8,000 (100 %)\n")
