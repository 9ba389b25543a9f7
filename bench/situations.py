"""Ten known situations per engine: how far what was reported is from what was arranged.

The tests of ``tests/observe`` arrange them and forgive what a loaded machine lets pass between two looks; here the bar
is 50 ms, whatever the machine does.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from unittest import mock

import pytest

from tests.observe import situations

BAR_MS = 50.0
FILES = ("tests/observe/test_situations.py", "tests/observe/test_situations_sqlite.py")


def main() -> bool:
    """Arrange every situation, print the differences, and tell whether every bar was reached."""
    situations.MEASURED.clear()
    with mock.patch.dict(os.environ, {"MIGKIT_STRICT_SITUATIONS": "1"}):
        code = pytest.main(["-q", "-p", "no:cacheprovider", "--no-header", "--tb=line", "-m", "", *FILES])
    by_engine: defaultdict[str, list[situations.Measured]] = defaultdict(list)
    for one in situations.MEASURED:
        by_engine[one.engine].append(one)
    for engine, measured in sorted(by_engine.items()):
        worst = max(measured, key=lambda one: one.off_ms)
        mean = sum(one.off_ms for one in measured) / len(measured)
        sign = "✓" if worst.off_ms <= BAR_MS else "✗"
        print(
            f"  {sign} {engine}: {len(measured)} durations, {mean:.0f} ms off in the mean, {worst.off_ms:.0f} ms at the"
            f" most ({worst.situation}; bar: {BAR_MS:.0f} ms)"
        )
    print(f"  {'✓' if code == 0 else '✗'} relations, modes, holders and waiters are as arranged")
    return code == 0


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
