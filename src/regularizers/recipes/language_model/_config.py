"""The settings of the language model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regularizers.penalties.strength import check_strength
from regularizers.recipes._settings import check, check_counts, check_rate
from regularizers.recipes.language_model._sizes import SIZES, Dropouts, Size, SizeName
from regularizers.recipes.language_model._strengths import OFF, STRENGTHS
from regularizers.recipes.search import check_search

SHORTEST = 5
"""The least length of a window, and of the rest after a window."""

_BYTES = 256


@dataclass(frozen=True)
class Config:
    """Train a recurrent language model by dropouts, AR and TAR, and show what each is worth.

    The same network is trained five times: plain, with all dropouts, with AR or TAR beside them,
    and with all. It ends with a table of perplexities, a picture, a sample of generated text, and
    a folder that holds these, the networks, and all figures.
    """

    text: Path | None = None
    """Any text in UTF-8. By default the documentation that comes with Python (the topics of
    help())."""

    level: Literal["word", "char", "bpe"] = "word"
    """What a token is: a word (or punctuation), a character, or a piece of a word found by
    byte-pair encoding, of which any text of any language consists."""

    min_count: int | None = None
    """Least count of a word or character in the training part; rarer ones become <unk>. By default
    3 for words, 1 for characters."""

    pieces: int | None = None
    """Pieces in the vocabulary of `--level bpe`, 257 or more, of which 256 are the bytes. By
    default 2000."""

    validation: float | str = 0.1
    """Fraction of the text, at its end, kept for validation, or a FILE that is read for it."""

    test: Path | None = None
    """A text by which each network is measured once, at the end."""

    size: SizeName = "tiny"
    """Preset of units, layers, batches, epochs and rates, unless given below."""

    embedding: int | None = None
    """Units of an embedded word, and of the last recurrent layer."""

    hidden: int | None = None
    """Units of the other recurrent layers."""

    layers: int | None = None
    """Recurrent layers."""

    batch_size: int | None = None
    """Streams of text side by side."""

    window: int | None = None
    """Usual length of a window of backpropagation through time, in tokens."""

    epochs: int | None = None
    """Passes over the text."""

    learning_rate: float | None = None
    """Peak learning rate of AdamW."""

    dropout: float = 1.0
    """Multiplies the rates of all five dropouts."""

    ar: float = 2.0
    """α of AR: strength of the mean square of the last layer's dropped output."""

    tar: float = 1.0
    """β of TAR: strength of the mean square of that layer's change between steps."""

    search: tuple[str, ...] = ()
    """Strengths to find instead: some of dropout, ar, tar, weight-decay. AR and TAR are off unless
    they are searched. The end of the training text decides, the validation text reports."""

    trials: int | None = None
    """Sets of strengths that --search tries; by default 20."""

    weight_decay: float = 0.01
    """Weight decay of AdamW, for all networks."""

    clip: float = 0.25
    """Norm to which gradients are clipped, for all networks."""

    temperature: float = 0.8
    """Temperature of the generated text: below 1 it favours likely words."""

    seeds: int = 2
    """Number of networks of each variant, with consecutive seeds."""

    seed: int = 0
    """The first seed, for initial weights, windows and dropouts."""

    jobs: int = 2
    """Networks trained in parallel, each in a process with one thread."""

    runs: Path = Path("runs")
    """Folder in which the folder of this run is made."""

    resume: Path | None = None
    """Folder of an interrupted run to go on with; it knows its settings."""

    from_scratch: tuple[str, ...] = ()
    """Networks of the run to --resume that are trained anew, by the names of their files."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""
        check_counts(
            min_count=self.min_count,
            embedding=self.embedding,
            hidden=self.hidden,
            layers=self.layers,
            batch_size=self.batch_size,
            epochs=self.epochs,
            seeds=self.seeds,
            jobs=self.jobs,
        )
        for name in ("ar", "tar", "weight_decay"):
            check_strength(getattr(self, name), name.replace("_", "-"))
        window = self.shape.window
        check("window", window >= SHORTEST, f"{SHORTEST} or more", window)
        check(
            "validation",
            isinstance(self.validation, str) or 0 < self.validation < 1,
            "a fraction between 0 and 1, or a file",
            self.validation,
        )
        self._check_vocabulary()
        check("seed", self.seed >= 0, "0 or more", self.seed)
        for name in ("clip", "temperature"):
            value = getattr(self, name)
            check(name, math.isfinite(value) and value > 0, "positive and finite", value)
        check_rate("learning-rate", self.shape.learning_rate)
        rates = self.shape.dropouts
        largest = max(vars(rates).values())
        check(
            "dropout",
            self.dropout >= 0 and largest < 1,
            "a factor that leaves each rate in [0, 1)",
            self.dropout,
        )

        check_search(self.search, self.trials, STRENGTHS, self, off=OFF)

    def _check_vocabulary(self) -> None:
        pieces = self.pieces is None or self.pieces > _BYTES
        check("pieces", pieces, f"{_BYTES + 1} or more, a byte each and one at least", self.pieces)
        for name, given, helps in (
            ("pieces", self.pieces, self.level == "bpe"),
            ("min-count", self.min_count, self.level != "bpe"),
        ):
            check(name, given is None or helps, f"no value with --level {self.level}", given)

    @property
    def shape(self) -> Size:
        """The size, with the settings that override it."""
        size = SIZES[self.size]

        def given(name: str) -> object:
            value = getattr(self, name)
            return getattr(size, name) if value is None else value

        return Size(
            **{name: given(name) for name in vars(size) if name != "dropouts"},  # type: ignore[arg-type]
            dropouts=size.dropouts.scaled(self.dropout),
        )

    @property
    def no_dropouts(self) -> Dropouts:
        """Rates of zero."""
        return self.shape.dropouts.scaled(0)

    def all_seeds(self) -> range:
        """Return the seeds that each kind is trained from."""
        return range(self.seed, self.seed + self.seeds)
