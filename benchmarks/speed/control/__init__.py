"""Whole training steps with strengths that are found, and with metrics of activations."""

from benchmarks.speed.control.plan import GROUP, cases

__all__ = ["GROUP", "cases"]
