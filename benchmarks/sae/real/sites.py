"""The places whose activations are coded: a model, a module of it, and windows of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks.sae.real import encoder, language
from benchmarks.sae.real.text import BEGIN, bytes_of, split, stride_for, windows
from torch import Tensor, nn

import regularizers as rz
from regularizers.sae import Recovered, SparseAutoencoder, StoredActivations

NAMES = (*language.SITES, "encoder")
BATCH = 64
"""Windows in a forward of a model."""


@dataclass(frozen=True)
class Site:
    """A module's activations on a text, and on a text held out."""

    name: str
    model: nn.Module
    where: str
    train: Tensor
    held_out: Tensor
    excluded: tuple[int, ...]
    """Special tokens, whose activations are no rows."""
    loss: Callable[[nn.Module, Any], Tensor] | None = None

    def store(self, folder: Path) -> tuple[Path, Path]:
        """Write the activations, those of the text held out apart; return both folders."""
        parts = (("train", self.train), ("held-out", self.held_out))
        first, second = [self._stored(folder / name, tokens) for name, tokens in parts]
        return first, second

    def _stored(self, folder: Path, tokens: Tensor) -> Path:
        data = tokens.split(BATCH)
        stream = rz.sae.activations(self.model, self.where, data, exclude_tokens=self.excluded)
        return stream.store(folder)

    def recovered(self, sae: SparseAutoencoder) -> Recovered | None:
        """Return what the model keeps of its loss on the text held out; None if it has none."""
        if self.loss is None:
            return None
        data = self.held_out.split(BATCH)
        return rz.sae.cross_entropy_recovered(
            self.model, self.where, sae, data, self.loss, mask=language.after_begin
        )


def site_of(name: str, text: Path, kept: Path, rows: int, encoder_folder: Path | None) -> Site:
    """Return a site by its name.

    Args:
        name: one of NAMES.
        text: a file of text.
        kept: the folder of the language model.
        rows: activations of the text for training, at least.
        encoder_folder: the files of the encoder.
    """
    if name == "encoder":
        if encoder_folder is None:
            raise SystemExit(
                "encoder: expected --encoder FOLDER, see benchmarks/sae/real/encoder.py"
            )
        model = encoder.model_of(encoder_folder)
        first, last = split(encoder.tokens_of(encoder_folder, text))
        inside, ends = encoder.CONTEXT - 2, encoder.SPECIAL
    else:
        first, last = bytes_of(text)
        model = language.trained(first, last, kept / "language.pt")
        inside, ends = language.CONTEXT - 1, (BEGIN,)
    where = encoder.SITE if name == "encoder" else language.SITES[name]
    cut = [
        windows(tokens, inside, stride, *ends)
        for tokens, stride in ((first, stride_for(len(first), inside, rows)), (last, inside))
    ]
    loss = None if name == "encoder" else language.token_losses
    return Site(name, model, where, cut[0], cut[1], ends, loss)


def shuffled(folder: Path, batch: int, seed: int) -> StoredActivations:
    """Return the rows of a store in an order of all of them, which every training sees."""
    return StoredActivations(folder, batch_size=batch, seed=seed, window=2**31)


@contextmanager
def as_file(
    stores: tuple[Path, Path], batch: int, seed: int, steps: int, path: Path
) -> Iterator[None]:
    """Write the rows of so many steps, then those held out, as a raw file of float32 for others."""
    held_out = StoredActivations(stores[1], batch_size=batch, shuffle=False)
    try:
        with path.open("wb") as file:
            for x in chain(islice(shuffled(stores[0], batch, seed), steps), held_out):
                file.write(x.float().numpy().tobytes())
        yield
    finally:
        path.unlink()
