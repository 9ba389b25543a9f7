"""Verdicts: injuries that a bad migration can cause must all be found, and harmless things must all read identical.

Each injury is done to a whole database, one at a time, and must be reported at the right place, with nothing unrelated
beside it. The bar is all and none.
"""

from __future__ import annotations

from bench.verdicts.benchmark import main

__all__ = ["main"]
