"""Proximal steps of L1 and L2Squared for many weights by foreach operations.

The operations are those of `penalties.proximal` in the same order, so results agree bit for bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from regularizers.attach.reading import xp
from regularizers.attach.step._batches import batches, parts
from regularizers.attach.step._proximal import (
    ProximalWeight,
    adam_second_moment,
    check_step_size_is_known,
    sgd_step_size,
)
from regularizers.penalties import L1, STAGES, Formula, L2Squared, is_number
from regularizers.penalties.arrays import Denominator, divide

_Strengths: TypeAlias = Sequence[tuple[type[Formula], Sequence[float]]]
"""The types of the penalties, squares first, each with its strength at every weight."""


def batch_proximal(weights: Iterable[ProximalWeight]) -> list[ProximalWeight | ProximalForeach]:
    """Return proximal steps of the same weights, batched into foreach operations where possible."""
    single: list[ProximalWeight | ProximalForeach] = []
    batched: dict[tuple[object, ...], list[ProximalWeight]] = defaultdict(list)
    for proximal in weights:
        weight, types = proximal.weight, [type(term) for term, _ in _ordered_terms(proximal)]
        alone = proximal.mask or proximal.view or proximal.reference
        plain = type(weight) in (Tensor, nn.Parameter) and not alone
        wide = weight.dtype in (torch.float32, torch.float64)
        numbers = not any(proximal.strengths.is_found(key) for _, key in proximal.terms)
        if plain and wide and numbers and {*types} <= {L1, L2Squared}:
            batched[weight.device, weight.dtype, *types].append(proximal)
        else:
            single.append(proximal)
    return single + [
        ProximalForeach(some[batch])
        for some in batched.values()
        for batch in batches([proximal.weight for proximal in some])
    ]


class ProximalForeach:
    """Weights of one dtype and device whose penalties have the same types in the same order."""

    def __init__(self, weights: Sequence[ProximalWeight]) -> None:
        self._types = [type(term) for term, _ in _ordered_terms(weights[0])]
        self._members = [(proximal, _strength_keys(proximal)) for proximal in weights]

    def shrink(self, optimizer: Optimizer) -> None:
        """Take the proximal steps of the weights that the optimizer has just updated."""
        due = [(p, keys) for p, keys in self._members if p.weight.grad is not None]
        updated = [proximal for proximal, _ in due]
        groups = [proximal.group for proximal in updated]
        for proximal in {id(p.group): p for p in updated}.values():
            check_step_size_is_known(optimizer, proximal.group, proximal.name)
        if not _step_sizes_are_scalars(optimizer, updated):
            for proximal in updated:
                proximal.shrink(optimizer)
            return
        by_weight = [
            [divide(xp, p.strengths[key], denominator) for key, denominator in keys]
            for p, keys in due
        ]
        strengths = list(zip(self._types, zip(*by_weight, strict=True), strict=True))
        weights = [proximal.weight for proximal in updated]
        if isinstance(optimizer, SGD):
            sizes = [sgd_step_size(group) for group in groups]
            for some, _ in _chunks(weights, weights):
                _shrink_by_scalar_steps(some, sizes, strengths)
            return
        moments = [adam_second_moment(optimizer, p.group, p.weight) for p in updated]
        corrections = [correction for _, correction in moments]
        rates, epsilons = ([group[name] for group in groups] for name in ("lr", "eps"))
        for some, seconds in _chunks(weights, [second for second, _ in moments]):
            elementwise = _adam_step_sizes(seconds, corrections, rates, epsilons)
            _shrink_by_elementwise_steps(some, elementwise, strengths)


def _ordered_terms(proximal: ProximalWeight) -> list[tuple[Formula, str]]:
    """Return the penalties of a weight with their keys, in the order of `STAGES`: squares first."""
    return sorted(proximal.terms, key=lambda entry: STAGES.index(entry[0].stage or "blocks"))


def _strength_keys(proximal: ProximalWeight) -> list[tuple[str, Denominator]]:
    """Return the key of each penalty's strength, and the denominator of its reduction."""
    weight, terms = proximal.weight, _ordered_terms(proximal)
    return [(key, term.denominator(term.frame(xp, weight, None))) for term, key in terms]


def _step_sizes_are_scalars(optimizer: Optimizer, updated: Sequence[ProximalWeight]) -> bool:
    """Return whether Python knows all numbers that the step sizes are computed from.

    A learning rate that is a tensor, or a step count on a device, would need a synchronisation.
    """
    if not updated or getattr(optimizer, "found_inf", None) is not None:
        return False
    for group in {id(p.group): p.group for p in updated}.values():
        if not all(map(is_number, (group["lr"], *group.get("betas", ())))):
            return False
    if isinstance(optimizer, SGD):
        return True
    return all(torch.as_tensor(optimizer.state[p.weight]["step"]).is_cpu for p in updated)


def _chunks(
    weights: list[Tensor], read: list[Tensor]
) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Yield the weights and the tensors read with them; a single large weight in chunks."""
    if len(weights) > 1:
        yield weights, read
        return
    for part, weight in parts(read[0], weights[0]):
        yield [weight], [part]


def _shrink_by_scalar_steps(
    weights: list[Tensor], steps: Sequence[float], strengths_by_type: _Strengths
) -> None:
    """Shrink weights in place; each weight has a step size of its own."""
    for penalty, strengths in strengths_by_type:
        sizes = [step * strength for step, strength in zip(steps, strengths, strict=True)]
        if penalty is L2Squared:
            factors = [1 + 2 * size for size in sizes]
            torch._foreach_div_(weights, factors)
            steps = [step / factor for step, factor in zip(steps, factors, strict=True)]
        else:
            taken = torch._foreach_clamp_min(weights, [-size for size in sizes])
            torch._foreach_clamp_max_(taken, sizes)
            torch._foreach_sub_(weights, taken)


def _shrink_by_elementwise_steps(
    weights: list[Tensor], steps: tuple[Tensor, ...], strengths_by_type: _Strengths
) -> None:
    """Shrink weights in place; each element has a step size of its own."""
    for penalty, strengths in strengths_by_type:
        sizes = torch._foreach_mul(steps, strengths)
        if penalty is L2Squared:
            torch._foreach_mul_(sizes, 2)
            torch._foreach_add_(sizes, 1)
            torch._foreach_div_(weights, sizes)
            steps = torch._foreach_div(steps, sizes)
        else:
            taken = torch._foreach_minimum(weights, sizes)
            torch._foreach_neg_(sizes)
            torch._foreach_maximum_(taken, sizes)
            torch._foreach_sub_(weights, taken)


def _adam_step_sizes(
    seconds: list[Tensor],
    corrections: Sequence[float],
    rates: Sequence[float],
    epsilons: Sequence[float],
) -> tuple[Tensor, ...]:
    """Return the step sizes η / (√v̂ + ε), one for each element."""
    steps = torch._foreach_div(seconds, corrections)
    torch._foreach_sqrt_(steps)
    torch._foreach_add_(steps, epsilons)
    torch._foreach_reciprocal_(steps)
    torch._foreach_mul_(steps, rates)
    return steps
