"""Words or characters, and one number for all that are rare."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from regularizers.recipes.language_model._vocabulary import Tokens, Vocabulary
from regularizers.recipes.language_model._words import LINE_END, UNKNOWN, Level, tokens_of


@dataclass(frozen=True)
class Symbols(Vocabulary):
    """Words or characters; the first is `<unk>`, which stands for all others."""

    symbols: tuple[str, ...]
    kind: Literal["word", "char"]

    unknown = 0

    @property
    def level(self) -> Level:
        return self.kind

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    def encode(self, text: str) -> Tokens:
        return np.array([self._numbers.get(t, 0) for t in tokens_of(text, self.kind)], np.int64)

    def decode(self, tokens: Sequence[int]) -> str:
        symbols = [self.symbols[token] for token in tokens]
        if self.kind == "char":
            return "".join("�" if symbol == UNKNOWN else symbol for symbol in symbols)
        return re.sub(r" ?\n ?", "\n", " ".join(symbols).replace(LINE_END, "\n"))

    def strange(self, text: str) -> list[str]:
        found = dict.fromkeys(tokens_of(text, self.kind))
        return [token for token in found if not self._numbers.get(token)]

    @property
    def widths(self) -> Tokens:
        sizes = [1 if one == LINE_END else len(one.encode()) for one in self.symbols]
        return np.array([0, *sizes[1:]], np.int64)

    def to_json(self) -> list[str]:
        return list(self.symbols)


def learn_symbols(text: str, level: Literal["word", "char"], min_count: int) -> Symbols:
    """Return the words or characters that occur at least `min_count` times in a text."""
    counts = Counter(tokens_of(text, level))
    often = [one for one, count in counts.most_common() if count >= min_count and one != UNKNOWN]
    return Symbols((UNKNOWN, *often), level)
