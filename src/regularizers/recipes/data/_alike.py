"""Texts that a reader may take for one another, or for a missing value."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from regularizers.recipes.data._header import MISSING, is_number

_MAYBE = frozenset({"none", "-", "--", ".", "missing", "inf", "-inf"})
"""Texts of `MISSING` that are more often a name."""


def stands_for_missing(text: str) -> bool:
    """Return whether a text stands more often for a missing value than for a name."""
    return text in ("None", "NaT") or text.lower() in MISSING - _MAYBE


def alike(texts: Iterable[str]) -> str | None:
    """Return the texts that differ only in case, in spaces, in Unicode's forms or as numbers.

    Example:
        >>> alike(["Rose", "rose", "1.0", "1", "lily"])
        "'Rose' and 'rose'; '1.0' and '1'"
        >>> alike(["rose", "lily"])
    """
    groups: dict[object, list[str]] = {}
    for text in texts:
        groups.setdefault(_key(text), []).append(text)
    same = [group for group in groups.values() if len(group) > 1]
    shown = "; ".join(" and ".join(map(_shown, group[:3])) for group in same[:3])
    return shown + ("; ..." if len(same) > 3 else "") if same else None


def _key(text: str) -> object:
    if is_number(text) and math.isfinite(float(text)):
        return float(text)
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf" or c == "\u200d")
    return " ".join(unicodedata.normalize("NFKC", visible).casefold().split())


def _shown(text: str) -> str:
    # two forms of one letter look the same
    return repr(text) if unicodedata.is_normalized("NFC", text) else ascii(text)
