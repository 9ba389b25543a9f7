"""Clones: scratch copies of a database, made from one snapshot of it and dropped when done."""
