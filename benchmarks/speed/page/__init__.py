"""The page of the benchmark: its tables and plots, made of the rows that are kept."""

from benchmarks.speed.page.write import write

__all__ = ["write"]
