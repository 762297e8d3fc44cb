"""The report: one page that holds all it shows, to read in a browser, on paper or on a phone."""

from __future__ import annotations

from regularizers.recipes.sparse_autoencoder.report._page import page

__all__ = ["page"]
