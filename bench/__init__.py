"""Measurements: each is a ratio of two things timed in the same run, so that it means the same on any machine."""
