"""Migrations of every format: loading them, running them observed, and the journal of what was run."""
