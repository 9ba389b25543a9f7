"""The process that is killed: it deploys, counts the journal's moments, and dies at one of them."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import migkit as mk
from migkit.progress import SILENT
from migkit.recovery.journal import watched


def main() -> None:
    """Deploy as the first argument, a JSON object, says."""
    told = json.loads(sys.argv[1])
    moments: list[str] = []

    def watch(moment: str, name: str) -> None:
        moments.append(f"{moment} {name}")
        if len(moments) - 1 == told["die_at"]:
            os.kill(os.getpid(), signal.SIGKILL)

    with watched(watch):
        result = mk.deploy(
            told["migration"],
            told["url"],
            strategy=told["strategy"],
            require_rehearsal=False,
            watch_seconds=0,
            timeout=60,
            progress=SILENT,
        )
    Path(told["answer"]).write_text(json.dumps({"status": result.status, "moments": moments, "error": result.error}))


if __name__ == "__main__":
    main()
