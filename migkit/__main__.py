"""``python -m migkit``: the same as the command ``migkit``."""

from migkit.cli import main

main()
