"""A finding with its cure, and the words that several share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["fine", "note", "mend"]


@dataclass(frozen=True)
class Advice:
    """A finding, and its cure if it needs one."""

    level: Level
    finding: str
    cure: str = ""


def more(difference: float) -> str:
    """Return whether something is more or less."""
    return "more" if difference > 0 else "less"


def relative(share: float) -> str:
    """Return a relative deviation in words.

    Example:
        >>> relative(-0.12)
        '12% less'
    """
    return f"{abs(share):.0%} {more(share)}"
