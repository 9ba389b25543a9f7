"""A worker as a process: ``python -m migkit.load.worker_process``, told what to do on its standard input.

Not a child of ``multiprocessing``: that would import the user's program once more, which may have no
``if __name__ == "__main__"``. It ends, and closes its connections, when its standard input does.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import BinaryIO, cast

from migkit.errors import MigkitError
from migkit.load.messages import Begin, Broken, End, Finished, Ready, receive, send
from migkit.load.recording import Batch
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
    sender = _Sender(output)
    try:
        worker.generate(orders.begin.epoch, orders.begin.at, lambda: orders.end, sender.outbox.put)
    finally:
        sender.finish()


class _Sender:
    """Sends batches from a thread of its own: who is slow to read them must not hold up requests."""

    def __init__(self, output: BinaryIO) -> None:
        self.outbox: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, args=(output,), name="migkit-sender", daemon=True)
        self._thread.start()

    def _send_all(self, output: BinaryIO) -> None:
        # Where nobody reads any more, the orders end as well.
        with suppress(BrokenPipeError):
            while (batch := self.outbox.get()) is not None:
                send(output, batch)

    def finish(self) -> None:
        """Wait until everything was sent."""
        self.outbox.put(None)
        self._thread.join()


if __name__ == "__main__":
    main()
