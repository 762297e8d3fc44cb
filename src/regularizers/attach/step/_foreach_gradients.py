"""Gradients of weight penalties, added to `.grad` by multi-tensor (foreach) operations."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach.sites import Entry
from regularizers.attach.step._batches import batches, parts
from regularizers.attach.step._weight_gradients import (
    WeightGradient,
    constant_factor,
    weight_gradient,
)


class PenaltyGradients:
    """The penalty gradients of all weights of one optimizer.

    Args:
        entries: each penalty at each weight: the entry, the sign of its gradient, and the weight.
    """

    def __init__(self, entries: Iterable[tuple[Entry, int, Tensor]]) -> None:
        penalties: dict[tuple[object, ...], _UnitPenalty] = {}
        indices: dict[Tensor, int] = {}
        self._entries: list[tuple[str, _UnitPenalty, int, float]] = []
        for entry, sign, weight in entries:
            unit = dataclasses.replace(entry.term, strength=1.0)
            # foreach operations reject weights that are sharded over different meshes
            mesh = getattr(weight, "device_mesh", None)
            penalty = penalties.setdefault(
                (unit, mesh, entry.view), _UnitPenalty(weight_gradient(unit, entry.view))
            )
            index = indices.setdefault(weight, len(indices))
            self._entries.append((entry.key, penalty, index, sign * constant_factor(weight, unit)))
        self._all_weights = list(indices)
        self._active: list[Tensor] = []
        self._batches: list[_BatchedGradient] = []

    def set_strengths(self, strengths: Mapping[str, float]) -> None:
        """Prepare the foreach calls for these strengths; a penalty of strength 0 gets none."""
        factors: dict[tuple[_UnitPenalty, int], float] = defaultdict(float)
        for key, penalty, index, constant in self._entries:
            # equal penalties at one weight are summed here: a foreach operation may write all its
            # results at once, so one call must not list a gradient twice
            factors[penalty, index] += strengths[key] * constant
        positions: dict[int, int] = {}
        grouped: dict[tuple[_UnitPenalty, float], list[int]] = defaultdict(list)
        for (penalty, index), factor in factors.items():
            if factor:
                grouped[penalty, factor].append(positions.setdefault(index, len(positions)))
        self._active = [self._all_weights[index] for index in positions]
        self._batches = []
        for (penalty, factor), members in grouped.items():
            members.sort()
            weights = [self._active[position] for position in members]
            # only elementwise gradients allocate temporaries, whose size must be bounded
            elementwise = penalty.gradient.elementwise
            slices = batches(weights) if elementwise else [slice(None)]
            self._batches += [
                _BatchedGradient(penalty.gradient, factor, members[some], weights[some])
                for some in slices
            ]
        # all penalties of the same weights in a row, while weights and gradients are in the cache
        self._batches.sort(key=lambda batch: batch.positions[0])

    def add(self, scale: Tensor | None) -> None:
        """Add the penalty gradients to `.grad`, times `scale` if the gradients are scaled."""
        gradients = _dense_gradients(self._active)
        for batch in self._batches:
            is_all = len(batch.positions) == len(gradients)
            some = gradients if is_all else [gradients[position] for position in batch.positions]
            batch.add(some, scale)


@dataclass(frozen=True, eq=False)
class _UnitPenalty:
    """A penalty of strength 1, compared by identity; its weights can share a foreach call."""

    gradient: WeightGradient


@dataclass(frozen=True)
class _BatchedGradient:
    """The gradient of one penalty at several weights.

    `positions` are the indices of the weights among all active weights.
    """

    gradient: WeightGradient
    factor: float
    positions: list[int]
    weights: list[Tensor]

    def add(self, gradients: list[Tensor], scale: Tensor | None) -> None:
        """Add it in place to `gradients`, one for each weight."""
        if self.gradient.foreach is None or len(self.weights) == 1:
            pairs = self._one_by_one(gradients)
        else:
            added = self.gradient.foreach(self.weights)
            if scale is None:
                torch._foreach_add_(gradients, added, alpha=self.factor)
                return
            pairs = zip(gradients, added, strict=True)
        for gradient, one in pairs:
            if scale is None:
                gradient.add_(one, alpha=self.factor)
            else:
                gradient.add_(one * (self.factor * scale.to(gradient.device)))

    def _one_by_one(self, gradients: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        for pair in zip(self.weights, gradients, strict=True):
            for weight, gradient in parts(*pair) if self.gradient.elementwise else [pair]:
                yield gradient, self.gradient.single(weight)


def _dense_gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients to add to; a missing one becomes zeros, a sparse one dense."""
    gradients = [gradient for w in weights if (gradient := w.grad) is not None]
    if len(gradients) == len(weights) and {g.layout for g in gradients} <= {torch.strided}:
        return gradients
    return [dense_gradient(weight) for weight in weights]


def dense_gradient(weight: Tensor) -> Tensor:
    """Return the gradient of a weight; a missing one becomes zeros, a sparse one dense."""
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    elif weight.grad.layout != torch.strided:
        weight.grad = weight.grad.to_dense()
    return weight.grad
