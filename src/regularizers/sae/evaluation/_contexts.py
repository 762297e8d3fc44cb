"""Tokens around the one at which a unit is most active."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from regularizers.errors import ShapeError


@dataclasses.dataclass(frozen=True)
class Context:
    """A token that activates a unit, among its neighbours.

    Attributes:
        sequence: the number of the sequence in the data.
        position: the place of the token in the sequence.
        value: how active the unit is there.
        tokens: the token and its neighbours.
        peak: the place of the token in `tokens`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=2, active=1, architecture="l1")
        >>> with torch.no_grad():
        ...     _ = sae.encoder.weight.copy_(torch.eye(2))
        >>> x = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]])
        >>> top = rz.sae.top_samples(sae, x, count=1, tokens=[["a", " cat", " sat"]])
        >>> context = top.contexts[0][0]
        >>> context.token, context.value, context.position
        (' cat', 2.0, 1)
        >>> print(context)
        2  a« cat» sat
    """

    sequence: int
    position: int
    value: float
    tokens: tuple[Any, ...]
    peak: int

    @property
    def token(self) -> Any:
        """The token itself."""
        return self.tokens[self.peak]

    def __str__(self) -> str:
        parts = [f"«{t}»" if place == self.peak else str(t) for place, t in enumerate(self.tokens)]
        separator = "" if all(isinstance(t, str) for t in self.tokens) else " "
        return f"{self.value:.4g}  {separator.join(parts)}"


def context(tokens: Any, sequence: int, position: int, value: float, around: int) -> Context:
    """Return a token of a sequence with up to `around` tokens on each side."""
    row: Sequence[Any] | Tensor = tokens[sequence]
    if position >= len(row):
        raise ShapeError(
            f"tokens: sequence {sequence}: expected a token for each activation, got {len(row)} "
            f"tokens and an activation at position {position}"
        )
    start = max(position - around, 0)
    window = row[start : position + around + 1]
    found = window.tolist() if isinstance(window, Tensor) else window
    return Context(sequence, position, value, tuple(found), position - start)


def check_tokens(tokens: Any, sequences: int) -> None:
    """Raise unless there is a sequence of tokens for each sequence of activations."""
    if len(tokens) != sequences:
        raise ShapeError(
            f"tokens: expected the tokens of each of {sequences} sequences, got {len(tokens)}"
        )
