"""Splits a text into parallel streams, and these into windows of backpropagation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from regularizers.recipes.language_model._config import SHORTEST


def streams_of(tokens: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return the text as contiguous parallel streams, and the token that follows each token.

    Args:
        tokens: a text of N tokens.
        batch_size: the number of streams.

    Returns:
        Two tensors of shape ((N − 1) // batch_size, batch_size): a stream in each column.
    """
    steps = (len(tokens) - 1) // batch_size
    count = steps * batch_size
    inputs, targets = tokens[:count], tokens[1 : count + 1]
    return (
        inputs.view(batch_size, steps).T.contiguous(),
        targets.view(batch_size, steps).T.contiguous(),
    )


def windows_of(steps: int, window: int, seed: int) -> list[tuple[int, int]]:
    """Return the bounds of windows that together cover every step once.

    The length is normal with deviation 5 and mean `window`, in one case of twenty half of it, so
    that epochs cut the text, and the gradient, at different places.

    Source: Merity, Keskar and Socher, "Regularizing and optimizing LSTM language models", 2017,
    arXiv 1708.02182, section 5.
    """
    generator = torch.Generator().manual_seed(seed)
    bounds, start = [], 0
    while start < steps:
        usual = torch.rand((), generator=generator).item() < 0.95
        noise = 5 * torch.randn((), generator=generator).item()
        end = start + max(SHORTEST, int((window if usual else window / 2) + noise))
        if steps - end < SHORTEST:
            end = steps
        bounds.append((start, end))
        start = end
    return bounds


class Windows:
    """The windows of one epoch: inputs and targets, each of shape (steps, streams)."""

    def __init__(self, inputs: Tensor, targets: Tensor, bounds: list[tuple[int, int]]) -> None:
        self._inputs = inputs
        self._targets = targets
        self._bounds = bounds

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start, end in self._bounds:
            yield self._inputs[start:end], self._targets[start:end]
