"""A worker as a process: ``python -m migkit.load.worker_process``, told what to do on its standard input.

Not a child of ``multiprocessing``: that would import the user's program once more, which may have no
``if __name__ == "__main__"``. It ends, and closes its connections, when its standard input does.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import BinaryIO, cast

from migkit.errors import MigkitError
from migkit.load.messages import Begin, Broken, End, Finished, Ready, receive, send
from migkit.load.worker import Task, Worker


class _Orders:
    """What was said on the standard input so far; a thread listens."""

    def __init__(self, stream: BinaryIO) -> None:
        self.end: float | None = None
        self.begin: Begin | None = None
        self.begun = threading.Event()
        self._stream = stream
        threading.Thread(target=self._listen, name="migkit-orders", daemon=True).start()

    def _listen(self) -> None:
        while True:
            order = receive(self._stream)
            if isinstance(order, Begin):
                self.begin = order
            elif isinstance(order, End):
                self.end = order.at
            elif order is None:
                # Nobody is there any more.
                self.end = min(self.end or time.time(), time.time())
            self.begun.set()
            if order is None:
                return


def main() -> None:
    """Work as told."""
    # Ctrl-C is for the coordinator, which tells us to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not get between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Unbuffered: a thread that is still reading at the end holds no lock of the interpreter's.
    orders_from = cast(BinaryIO, os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0))
    task = receive(orders_from)
    if not isinstance(task, Task):
        return
    orders = _Orders(orders_from)
    try:
        _work(task, orders, output)
    except MigkitError as error:
        send(output, Broken(error.what, error.where, error.next_step))
    except BrokenPipeError:
        return  # the coordinator is gone
    send(output, Finished())


def _work(task: Task, orders: _Orders, output: BinaryIO) -> None:
    worker = Worker(task)
    # What is there now stays; looking through it again and again would show as latency.
    gc.collect()
    gc.freeze()
    send(output, Ready(tuple(worker.sessions)))
    orders.begun.wait()
    if orders.begin is None:
        worker.close()
        return
    worker.generate(orders.begin.epoch, orders.begin.at, lambda: orders.end, lambda batch: send(output, batch))


if __name__ == "__main__":
    main()
