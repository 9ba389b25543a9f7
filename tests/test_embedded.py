"""The private server is started once, however many ask for it at the same time."""

from __future__ import annotations

import threading

import pytest

from migkit import embedded


def test_threads_that_ask_together_do_not_start_it_together(monkeypatch: pytest.MonkeyPatch) -> None:
    starting: list[int] = []
    together: list[int] = []
    pause = threading.Event()

    def start() -> str:
        starting.append(1)
        together.append(len(starting))
        pause.wait(0.02)
        starting.pop()
        return "postgresql://postgres@/postgres"

    monkeypatch.setattr(embedded, "_start", start)
    threads = [threading.Thread(target=embedded.server_url) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1, 1, 1, 1]
