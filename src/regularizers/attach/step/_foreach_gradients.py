"""Gradients of weight penalties, added to `.grad` by multi-tensor (foreach) operations."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach.sites import Entry, Reference
from regularizers.attach.step._batches import batches, parts
from regularizers.attach.step._weight_gradients import (
    WeightGradient,
    constant_factor,
    foreach_gradients,
    gradient_at,
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
        at_weight: dict[tuple[object, ...], list[Reference]] = {}
        self._references: dict[tuple[_UnitPenalty, int], Reference] = {}
        self._entries: list[tuple[str, _UnitPenalty, int, float]] = []
        for entry, sign, weight in entries:
            unit = dataclasses.replace(entry.term, strength=1.0)
            # foreach operations reject weights that are sharded over different meshes
            alike: tuple[object, ...] = unit, getattr(weight, "device_mesh", None), entry.view
            index = indices.setdefault(weight, len(indices))
            reference = entry.reference
            if reference is not None:
                # of several references of one weight, each is a penalty of its own
                others = at_weight.setdefault((*alike, index), [])
                if not any(reference is other for other in others):
                    others.append(reference)
                number = [reference is other for other in others].index(True)
                alike = *alike, reference.is_shifted, reference.is_weighted, number
            gradient = weight_gradient(unit, entry.view)
            penalty = penalties.setdefault(alike, _UnitPenalty(gradient))
            if reference is not None:
                self._references[penalty, index] = reference
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
        index_at = list(positions)
        self._batches = []
        for (penalty, factor), members in grouped.items():
            members.sort()
            weights = [self._active[position] for position in members]
            found = [self._references.get((penalty, index_at[position])) for position in members]
            references = [reference for reference in found if reference is not None]
            # only these gradients allocate temporaries, whose size must be bounded
            bounded = penalty.gradient.elementwise or bool(references)
            slices = batches(weights) if bounded else [slice(None)]
            self._batches += [
                _BatchedGradient(
                    penalty.gradient, factor, members[some], weights[some], references[some]
                )
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
    references: list[Reference]
    """One for each weight, or none at all."""

    def add(self, gradients: list[Tensor], scale: Tensor | None) -> None:
        """Add it in place to `gradients`, one for each weight."""
        if self.gradient.foreach is None or len(self.weights) == 1 or self._is_narrow:
            pairs = self._one_by_one(gradients)
        else:
            added = foreach_gradients(self.gradient.foreach, self.weights, self.references)
            if scale is None:
                torch._foreach_add_(gradients, added, alpha=self.factor)
                return
            pairs = zip(gradients, added, strict=True)
        for gradient, one in pairs:
            if scale is None:
                gradient.add_(one, alpha=self.factor)
            else:
                gradient.add_(one * (self.factor * scale.to(gradient.device)))

    @property
    def _is_narrow(self) -> bool:
        """Whether differences are to be taken in another precision than that of the weights."""
        return bool(self.references) and any(w.dtype.itemsize < 4 for w in self.weights)

    def _one_by_one(self, gradients: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        if self.references:
            for weight, gradient, reference in zip(
                self.weights, gradients, self.references, strict=True
            ):
                yield gradient, gradient_at(self.gradient, weight, reference)
            return
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
