"""Whole training jobs on real data, run from the command line, and the networks they leave."""

from __future__ import annotations

from regularizers.recipes._loaded import Loaded, load

__all__ = ["Loaded", "load"]
