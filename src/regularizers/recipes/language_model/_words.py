"""Splits a text into words and marks, or into characters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Literal

Level = Literal["word", "char", "bpe"]

UNITS: dict[Level, str] = {"word": "words", "char": "characters", "bpe": "pieces"}
"""What the tokens of a level are called."""

UNKNOWN = "<unk>"
LINE_END = "<eos>"

_JOINERS = "\u200c\u200d"
"""Zero-width characters that stand within words of Persian and of Indian scripts."""

_SPACELESS = {
    *("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"),
}
"""How Unicode's names of letters begin in scripts that do not set words apart."""


def tokens_of(text: str, level: Literal["word", "char"]) -> list[str]:
    r"""Return the words and marks of `text`, or its characters.

    A word keeps its inner points and hyphens, a leading apostrophe, and the accents and vowel signs
    that are characters of their own: U.S., co-operate, 's, हिन्दी. Marks that stand together are one
    token. Corpora in which marks already stand apart stay as they are.

    Example:
        >>> tokens_of("It's on, isn't it?\n", "word")
        ['It', "'s", 'on', ',', 'isn', "'t", 'it', '?', '<eos>']
    """
    if level == "char":
        return list(text)
    combining = {one for one in set(text) if unicodedata.category(one)[0] == "M"}
    words = _pattern("".join(sorted(combining)))
    return [LINE_END if word == "\n" else word for word in words.findall(text)]


@lru_cache
def _pattern(combining: str) -> re.Pattern[str]:
    # \w has no combining characters: with it alone, each ends a word
    word = rf"\w[\w{re.escape(combining)}{_JOINERS}]*"
    return re.compile(rf"{UNKNOWN}|'?{word}(?:[-.]{word})*|[^\w\s]+|\n")


def spaceless_share(text: str) -> float:
    """Return the share of the letters that are of scripts written without spaces.

    Example:
        >>> spaceless_share("我看书 ab")
        0.6
    """
    counts = Counter(text)
    letters = {one: count for one, count in counts.items() if one.isalpha()}
    spaceless = sum(
        count
        for one, count in letters.items()
        if one > "\u0e00" and unicodedata.name(one, "").split(" ")[0] in _SPACELESS
    )
    return spaceless / max(sum(letters.values()), 1)
