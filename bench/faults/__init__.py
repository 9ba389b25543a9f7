"""Deploys killed, cut off, starved of disk and of their server: what is left is the state before or the state after."""

from bench.faults.benchmark import main as main
