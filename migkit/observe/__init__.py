"""Watching a run: its statements and locks from inside, and who waits for whom from outside."""
