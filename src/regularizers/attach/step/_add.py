"""Gradients of weight penalties, added to `.grad` by multi-tensor operations."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regularizers.attach.sites import Entry
from regularizers.attach.step._batches import batches, parts
from regularizers.attach.step._gradients import Slopes, constant_at, slopes_of


class Additions:
    """The gradients of penalties at the weights of one optimizer.

    Args:
        entries: every penalty at every weight, with 1 or -1 for the sign of its gradient, and the
            weight.
    """

    def __init__(self, entries: Iterable[tuple[Entry, int, Tensor]]) -> None:
        kinds: dict[tuple[object, ...], _Kind] = {}
        numbers: dict[Tensor, int] = {}
        self._entries: list[tuple[str, _Kind, int, float]] = []
        for entry, sign, weight in entries:
            unit = dataclasses.replace(entry.term, strength=1.0)
            # weights sharded over different meshes do not go into one multi-tensor operation
            mesh = getattr(weight, "device_mesh", None)
            kind = kinds.setdefault((unit, mesh, entry.view), _Kind(slopes_of(unit, entry.view)))
            number = numbers.setdefault(weight, len(numbers))
            self._entries.append((entry.key, kind, number, sign * constant_at(weight, unit)))
        self._all = list(numbers)
        self._charged: list[Tensor] = []
        self._additions: list[_Addition] = []

    def charge(self, strengths: Mapping[str, float]) -> None:
        """Let the penalties be of these strengths from now on; of strength 0 there is nothing."""
        factors: dict[tuple[_Kind, int], float] = defaultdict(float)
        for key, kind, number, constant in self._entries:
            # two alike at one weight are one: an operation may write all its results at once
            factors[kind, number] += strengths[key] * constant
        places: dict[int, int] = {}
        together: dict[tuple[_Kind, float], list[int]] = defaultdict(list)
        for (kind, number), factor in factors.items():
            if factor:
                together[kind, factor].append(places.setdefault(number, len(places)))
        self._charged = [self._all[number] for number in places]
        self._additions = []
        for (kind, factor), members in together.items():
            members.sort()
            weights = [self._charged[place] for place in members]
            # what makes no new tensors needs no room for them
            some_at_once = batches(weights) if kind.slopes.elementwise else [slice(None)]
            self._additions += [
                _Addition(kind.slopes, factor, members[some], weights[some])
                for some in some_at_once
            ]
        # all that is added at some weights, while they and their gradients are in the cache
        self._additions.sort(key=lambda addition: addition.places[0])

    def add(self, scale: Tensor | None) -> None:
        """Add the gradients to those of the weights; `scale` is by what those are scaled."""
        gradients = _dense_gradients(self._charged)
        for addition in self._additions:
            is_at_all = len(addition.places) == len(gradients)
            at = gradients if is_at_all else [gradients[place] for place in addition.places]
            addition.add(at, scale)


@dataclass(frozen=True, eq=False)
class _Kind:
    """A penalty of strength 1 and weights that can go into one operation."""

    slopes: Slopes


@dataclass(frozen=True)
class _Addition:
    """The gradients of one penalty at several weights, which have their places among others."""

    slopes: Slopes
    factor: float
    places: list[int]
    weights: list[Tensor]

    def add(self, gradients: list[Tensor], scale: Tensor | None) -> None:
        """Add them into `gradients`, of the same weights."""
        if self.slopes.many is None or len(self.weights) == 1:
            pairs = self._one_by_one(gradients)
        else:
            slopes = self.slopes.many(self.weights)
            if scale is None:
                torch._foreach_add_(gradients, slopes, alpha=self.factor)
                return
            pairs = zip(gradients, slopes, strict=True)
        for gradient, slope in pairs:
            if scale is None:
                gradient.add_(slope, alpha=self.factor)
            else:
                gradient.add_(slope * (self.factor * scale.to(gradient.device)))

    def _one_by_one(self, gradients: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        for pair in zip(self.weights, gradients, strict=True):
            for weight, gradient in parts(*pair) if self.slopes.elementwise else [pair]:
                yield gradient, self.slopes.one(weight)


def _dense_gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of weights, which can be added to; a missing one is made, of 0."""
    gradients = [gradient for w in weights if (gradient := w.grad) is not None]
    if len(gradients) == len(weights) and {g.layout for g in gradients} <= {torch.strided}:
        return gradients
    return [_dense_gradient(weight) for weight in weights]


def _dense_gradient(weight: Tensor) -> Tensor:
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    elif weight.grad.layout != torch.strided:
        weight.grad = weight.grad.to_dense()
    return weight.grad
