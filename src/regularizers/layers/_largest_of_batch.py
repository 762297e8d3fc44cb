"""The n largest elements of a tensor, where they are positive."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from regularizers.layers._pre_activations import lie_in_rows
from regularizers.penalties.kernels import thresholds

_SAMPLED = 2**15
"""Elements that are looked at to guess where the cut is."""


def largest_of_batch(z: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Return the positive ones of the `number` largest elements, and zeros; and the least of them.

    Exactly `number` are selected, if so many are positive. The least is NaN if none is.
    """
    flat = z.reshape(-1)
    if number == 0:
        return torch.zeros_like(z), z.new_full((), math.nan)
    found = None
    if flat.numel() > thresholds.LARGE and lie_in_rows(flat):
        found = _among_candidates(flat, number)
    values, places = flat.topk(number, sorted=False) if found is None else found
    values = values.relu()
    kept = torch.zeros_like(flat).scatter_(0, places, values)
    return kept.view(z.shape), _least_of(values)


def _least_of(values: Tensor) -> Tensor:
    """Return the least positive value; NaN if there is none."""
    if values.numel() == 0:
        return values.new_full((), math.nan)
    least = values.where(values > 0, math.inf).amin()
    return least.where(least < math.inf, math.nan)


def _among_candidates(flat: Tensor, number: int) -> tuple[Tensor, Tensor] | None:
    """Return the largest and their places, of those above a guess; None if it was too high.

    A guess from few elements leaves out nearly all, in one pass; sorting them all takes ten times
    as long.
    """
    step = max(flat.numel() // _SAMPLED, 1) | 1  # odd, so that it meets all units
    sample = flat[::step]
    rank = number / step
    rank = min(math.ceil(rank + 4 * math.sqrt(rank) + 8), len(sample))
    guess = sample.topk(rank, sorted=False).values.amin().clamp_(min=0)
    places = (flat <= guess).logical_not_().nonzero().squeeze(1)  # NaN is no less than anything
    values = flat[places]
    if len(places) <= number:
        complete = len(places) == number or not guess > 0
        return (values, places) if complete else None
    values, chosen = values.topk(number, sorted=False)
    return values, places[chosen]
