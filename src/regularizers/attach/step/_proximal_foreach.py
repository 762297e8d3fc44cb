"""Weights whose proximal penalties are alike, shrunk together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from regularizers.attach.reading import xp
from regularizers.attach.step._batches import batches, parts
from regularizers.attach.step._foreach_operations import (
    shrink_by_arrays,
    shrink_by_numbers,
    steps_of_adam,
)
from regularizers.attach.step._proximal import Shrinking, check_shrinks, moment_of_adam, step_of_sgd
from regularizers.penalties import L1, STAGES, Formula, L2Squared, is_number
from regularizers.penalties.arrays import Denominator, divide


def put_together(shrinkings: Iterable[Shrinking]) -> list[Shrinking | Alike]:
    """Return what shrinks the same weights, by fewer operations where it can."""
    alone: list[Shrinking | Alike] = []
    alike: dict[tuple[object, ...], list[Shrinking]] = defaultdict(list)
    for shrinking in shrinkings:
        weight, kinds = shrinking.weight, [type(term) for term, _ in _in_order(shrinking)]
        plain = type(weight) in (Tensor, nn.Parameter) and not (shrinking.mask or shrinking.view)
        wide = weight.dtype in (torch.float32, torch.float64)
        if plain and wide and {*kinds} <= {L1, L2Squared}:
            alike[weight.device, weight.dtype, *kinds].append(shrinking)
        else:
            alone.append(shrinking)
    return alone + [
        Alike(some[batch]) for some in alike.values() for batch in batches([s.weight for s in some])
    ]


class Alike:
    """Weights of one type with penalties of the same kinds: each as it would be by itself."""

    def __init__(self, shrinkings: Sequence[Shrinking]) -> None:
        self._kinds = [type(term) for term, _ in _in_order(shrinkings[0])]
        self._members = [(shrinking, _keys(shrinking)) for shrinking in shrinkings]

    def shrink(self, optimizer: Optimizer) -> None:
        """Shrink the weights by the step sizes of the optimizer; not where it made no step."""
        due = [(s, keys) for s, keys in self._members if s.weight.grad is not None]
        shrinkings = [shrinking for shrinking, _ in due]
        groups = [shrinking.group for shrinking in shrinkings]
        for shrinking in {id(s.group): s for s in shrinkings}.values():
            check_shrinks(optimizer, shrinking.group, shrinking.name)
        if not _are_numbers(optimizer, shrinkings):
            for shrinking in shrinkings:
                shrinking.shrink(optimizer)
            return
        strengths = [
            [divide(xp, s.strengths[key], denominator) for key, denominator in keys]
            for s, keys in due
        ]
        pulls = list(zip(self._kinds, zip(*strengths, strict=True), strict=True))
        weights = [shrinking.weight for shrinking in shrinkings]
        if isinstance(optimizer, SGD):
            steps = [step_of_sgd(group) for group in groups]
            for some, _ in _split(weights, weights):
                shrink_by_numbers(some, steps, pulls)
            return
        moments = [moment_of_adam(optimizer, s.group, s.weight) for s in shrinkings]
        corrections = [correction for _, correction in moments]
        rates, epsilons = ([group[name] for group in groups] for name in ("lr", "eps"))
        for some, seconds in _split(weights, [second for second, _ in moments]):
            shrink_by_arrays(some, steps_of_adam(seconds, corrections, rates, epsilons), pulls)


def _in_order(shrinking: Shrinking) -> list[tuple[Formula, str]]:
    """Return the penalties of a weight, of which squares go first, with the keys of strengths."""
    return sorted(shrinking.terms, key=lambda entry: STAGES.index(entry[0].stage or "blocks"))


def _keys(shrinking: Shrinking) -> list[tuple[str, Denominator]]:
    """Return the keys of the strengths at a weight, each with what the strength is divided by."""
    weight, terms = shrinking.weight, _in_order(shrinking)
    return [(key, term.denominator(term.frame(xp, weight, None))) for term, key in terms]


def _are_numbers(optimizer: Optimizer, shrinkings: Sequence[Shrinking]) -> bool:
    """Return whether there are weights, and what their step sizes are made of is known to Python.

    A rate that is a tensor, or a count on a device, is left where it is.
    """
    if not shrinkings or getattr(optimizer, "found_inf", None) is not None:
        return False
    for group in {id(s.group): s.group for s in shrinkings}.values():
        if not all(map(is_number, (group["lr"], *group.get("betas", ())))):
            return False
    if isinstance(optimizer, SGD):
        return True
    return all(torch.as_tensor(optimizer.state[s.weight]["step"]).is_cpu for s in shrinkings)


def _split(
    weights: list[Tensor], read: list[Tensor]
) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Yield weights and what is read with them; of one large weight by itself, the pieces."""
    if len(weights) > 1:
        yield weights, read
        return
    for part, weight in parts(read[0], weights[0]):
        yield [weight], [part]
