"""Where a text is cut in two: between lines, or words, or else characters."""

from __future__ import annotations

import re

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

_BOUNDARIES = (re.compile(r"\n+"), re.compile(r"\s+"))
_REACH = 0.25
"""How far a cut may move, as a fraction of the shorter part."""

_CHARACTERS = 1000
"""How far it may move to the nearest end of a character."""


def position_of_cut(text: str, fraction: float) -> int:
    r"""Return where the last `fraction` of a text begins.

    It is the end of a line that is near; where none is, of a word; where none is either, of a
    character as readers see it, with its accents and joined signs.

    Example:
        >>> position_of_cut("first line\nsecond line\nthird", 0.5)
        11
    """
    target = round(len(text) * (1 - fraction))
    reach = int(_REACH * min(target, len(text) - target))
    for boundary in _BOUNDARIES:
        near = boundary.finditer(text, max(target - reach - 1, 0), target + reach + 1)
        ends = [end.end() for end in near]
        ends = [end for end in ends if 0 < end < len(text)]
        if ends:
            return min(ends, key=lambda end: abs(end - target))
    start = max(target - _CHARACTERS, 0)
    characters = Split(Regex(r"\X"), "isolated").pre_tokenize_str(
        text[start : target + _CHARACTERS]
    )
    starts = [start + begin for _, (begin, _) in characters]
    return min(starts, key=lambda begin: abs(begin - target), default=target)
