"""The three kinds of vocabulary: words, characters, and pieces of words."""

from __future__ import annotations

from typing import Any

from regularizers.errors import RunFolderError
from regularizers.recipes.language_model._pieces import Pieces, learn_pieces
from regularizers.recipes.language_model._symbols import Symbols, learn_symbols
from regularizers.recipes.language_model._vocabulary import Vocabulary
from regularizers.recipes.language_model._words import Level

_LEAST = {"word": 3, "char": 1}
"""How often a token of a vocabulary occurs at least, unless the user says."""

_PIECES = 2000


def learn(text: str, level: Level, min_count: int | None, pieces: int | None) -> Vocabulary:
    """Return the vocabulary of a text for training.

    Args:
        text: the text.
        level: what its tokens are.
        min_count: how often a word or a character occurs at least; by default 3 and 1.
        pieces: how many pieces there are at most; by default 2000.
    """
    if level == "bpe":
        return learn_pieces(text, pieces or _PIECES)
    return learn_symbols(text, level, min_count or _LEAST[level])


def vocabulary_of(level: object, kept: Any) -> Vocabulary:
    """Return the vocabulary whose level and `to_json` these are.

    Raises:
        RunFolderError: they are none.
    """
    try:
        if level == "bpe":
            vocabulary: Vocabulary = Pieces.from_json(kept)
        elif level in ("word", "char") and all(isinstance(one, str) for one in kept):
            vocabulary = Symbols(tuple(kept), level)
        else:
            raise ValueError(level)
    except (TypeError, ValueError) as error:
        raise RunFolderError(
            f"vocabulary: expected words, characters or a tokenizer, got {str(error)[:80]!r}; "
            f"the file is damaged, or of a newer version"
        ) from None
    return vocabulary
