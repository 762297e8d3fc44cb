"""What every vocabulary does: from a text to numbers, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.recipes.language_model._words import Level

Tokens = NDArray[np.int64]


class Vocabulary(ABC):
    """The tokens that a network knows, each with a number."""

    unknown: int | None
    """The number of what is not in the vocabulary; None where everything is."""

    @property
    @abstractmethod
    def level(self) -> Level:
        """What its tokens are."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of tokens."""

    @abstractmethod
    def encode(self, text: str) -> Tokens:
        """Return a text as numbers."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Return numbers as a text."""

    @abstractmethod
    def strange(self, text: str) -> list[str]:
        """Return what in a text is not in the vocabulary, each once."""

    @property
    @abstractmethod
    def widths(self) -> Tokens:
        """The bytes of UTF-8 that each token stands for."""

    @abstractmethod
    def to_json(self) -> Any:
        """Return the vocabulary as plain values."""
