"""``python -m bench.faults [--kills N] [--every N] [ENGINE …]``."""

from __future__ import annotations

import argparse
import sys

from bench.faults.benchmark import ENGINES, KILLS, main

parser = argparse.ArgumentParser(prog="python -m bench.faults", description="Does every killed deploy come back?")
parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"one of {', '.join(ENGINES)}; by default all")
parser.add_argument("--kills", type=int, default=KILLS, help="SIGKILLs per engine, at the least")
parser.add_argument("--every", type=int, default=1, help="only every N-th journalled moment, for a quick look")
parser.add_argument("--only", default="", help="only faults whose name holds this: 'kill', 'cut', 'disk', 'server'")
arguments = parser.parse_args()
sys.exit(0 if main(arguments.engines, kills=arguments.kills, every=arguments.every, only=arguments.only) else 1)
