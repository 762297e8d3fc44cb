"""The page of the benchmark: its tables and plots, made from the stored rows."""

from benchmarks.speed.page.write import write

__all__ = ["write"]
