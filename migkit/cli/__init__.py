"""The command line: every command parses, calls one verb and prints.

Exit codes: 0 passed, 1 a failed verdict, 2 no verdict, because the work could not be done.
"""

from migkit.cli.program import main, program

__all__ = ["main", "program"]
