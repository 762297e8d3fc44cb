"""Byte-level pieces: every text of every language, and back, without anything unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as Bytes
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.trainers import BpeTrainer

from regularizers.recipes.language_model._vocabulary import Tokens, Vocabulary
from regularizers.recipes.language_model._words import Level

# Pieces lie within a word, a number, a group of marks or a gap. That of GPT-2 ends a word at each
# combining character, which cuts every word of Hindi. A word has a bound, since learning takes time
# in the square of the length of what has no gaps, such as DNA. Line ends stand alone, so that a
# text can be read in blocks of lines.
_SPLIT = (
    r" ?\p{L}[\p{L}\p{M}\x{200C}\x{200D}]{0,99}\p{M}*| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
    r"|\n+|[^\S\n]+(?!\S)|[^\S\n]+"
)
_BLOCK = 1_000_000
"""Characters that are read at once: the library keeps about a hundred bytes for each."""


@dataclass(frozen=True)
class Pieces(Vocabulary):
    """Pieces of words that byte-pair encoding found.

    Args:
        definition: the tokenizer, as JSON of Hugging Face's `tokenizers`.

    Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword
    units", 2016, arXiv 1508.07909.
    """

    definition: str

    unknown = None

    @property
    def level(self) -> Level:
        return "bpe"

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self.definition)

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> Tokens:
        parts = [self._tokenizer.encode(block).ids for block in _blocks(text)]
        return np.concatenate([np.array(part, np.int64) for part in [[], *parts]])

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def strange(self, text: str) -> list[str]:
        return []

    @property
    def widths(self) -> Tokens:
        # each character of a byte-level piece stands for one byte
        names = [self._tokenizer.id_to_token(number) or "" for number in range(len(self))]
        return np.array([len(name) for name in names], np.int64)

    def to_json(self) -> Any:
        return json.loads(self.definition)

    @classmethod
    def from_json(cls, kept: Any) -> Pieces:
        """Return the vocabulary from the values of `to_json`.

        Raises:
            ValueError: they are none of a tokenizer.
        """
        definition = json.dumps(kept)
        try:
            Tokenizer.from_str(definition)
        except Exception as error:  # the library raises nothing more special
            raise ValueError(str(error)) from None
        return cls(definition)


def learn_pieces(text: str, pieces: int) -> Pieces:
    """Return at most `pieces` pieces, found in a text; the first 256 are the bytes."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Steps(
        [
            Split(Regex(_SPLIT), "isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = Bytes()
    trainer = BpeTrainer(
        vocab_size=pieces,
        min_frequency=2,
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_blocks(text), trainer)
    return Pieces.from_json(json.loads(tokenizer.to_str()))


def _blocks(text: str) -> Iterator[str]:
    r"""Yield a text in blocks that end where lines end, before what is no further `\n`."""
    start = 0
    while start < len(text):
        end = start + _BLOCK
        while 0 < (end := text.find("\n", end) + 1) < len(text) and text[end] == "\n":
            pass
        end = end or len(text)
        yield text[start:end]
        start = end
