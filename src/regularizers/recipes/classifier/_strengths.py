"""The strengths that `--search` can find."""

from __future__ import annotations

from regularizers.recipes.search import Strength

STRENGTHS = (
    Strength("weight-decay", 1e-5, 1e-1, usual=2e-3),
    Strength("l1", 1e-6, 1e-2, usual=2e-4),
    Strength("dropout", 0.05, 0.85, usual=0.5, log=False),
    Strength("activity", 1e-3, 1e1, usual=0.25),
)
"""In the order of the settings, whose defaults are tried first."""
TOGETHER = ("weight-decay", "l1", "dropout", "activity", "batch-norm")
"""What can be combined in one network."""
TRIALS = 20
"""Sets of strengths that are tried if `trials` is not given."""
