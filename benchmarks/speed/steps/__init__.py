"""Whole training steps, with regularization and without."""

from benchmarks.speed.steps.plan import cases

__all__ = ["cases"]
