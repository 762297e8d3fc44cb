"""The strengths that `--search` can find."""

from __future__ import annotations

from regularizers.recipes.search import Strength

STRENGTHS = (
    Strength("dropout", 0.1, 1.5, usual=1.0),
    Strength("ar", 1e-2, 3e1, usual=2.0),
    Strength("tar", 1e-2, 3e1, usual=1.0),
    Strength("weight-decay", 1e-4, 1.0, usual=1e-2),
)
"""In the order of the settings, whose defaults are tried first."""
OFF = ("ar", "tar")
"""Those that are off unless they are searched; the others are what their settings say."""
TRIALS = 20
"""Sets of strengths that are tried if `trials` is not given."""
