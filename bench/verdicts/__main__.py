"""``python -m bench.verdicts [--rows N] [--only TEXT] [ENGINE …]``."""

from __future__ import annotations

import argparse
import sys

from bench.verdicts.benchmark import ROWS, main
from bench.verdicts.cases import FOLDERS

parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description="Are injuries found, and only those?")
parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"one of {', '.join(FOLDERS)}; by default all")
parser.add_argument("--rows", type=int, default=ROWS, help="rows of the larger tables")
parser.add_argument("--only", default="", help="only cases whose kind and name hold this: 'harmless:'")
arguments = parser.parse_args()
sys.exit(0 if main(arguments.engines, rows=arguments.rows, only=arguments.only) else 1)
