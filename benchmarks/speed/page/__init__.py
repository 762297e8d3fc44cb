"""The pages of the benchmark: their tables and plots, made from the stored rows."""

from benchmarks.speed.page.write import PAGES, write

__all__ = ["PAGES", "write"]
