"""Which warnings were said in several trainings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.controllers.run_outcomes import kind


def warned(results: Sequence[dict[str, Any]]) -> str:
    """Return the kinds of warnings, each with the number of trainings that said it."""
    kinds = Counter([k for result in results for k in {kind(text) for text in result["said"]}])
    return ", ".join([f"{name} {n} of {len(results)}" for name, n in kinds.items()]) or "nothing"
