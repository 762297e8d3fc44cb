"""Proximal steps of L1 and L2Squared at many weights, operation by operation those at one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from regularizers.penalties import Formula, L2Squared

Pulls: TypeAlias = Sequence[tuple[type[Formula], Sequence[float]]]
"""Kinds of penalties, squares first, each with its strength at each weight."""


def shrink_by_numbers(weights: list[Tensor], steps: Sequence[float], pulls: Pulls) -> None:
    """Shrink weights in place, each by a step size of its own."""
    for kind, strengths in pulls:
        sizes = [step * strength for step, strength in zip(steps, strengths, strict=True)]
        if kind is L2Squared:
            factors = [1 + 2 * size for size in sizes]
            torch._foreach_div_(weights, factors)
            steps = [step / factor for step, factor in zip(steps, factors, strict=True)]
        else:
            taken = torch._foreach_clamp_min(weights, [-size for size in sizes])
            torch._foreach_clamp_max_(taken, sizes)
            torch._foreach_sub_(weights, taken)


def shrink_by_arrays(weights: list[Tensor], steps: tuple[Tensor, ...], pulls: Pulls) -> None:
    """Shrink weights in place, each element by a step size of its own."""
    for kind, strengths in pulls:
        sizes = torch._foreach_mul(steps, strengths)
        if kind is L2Squared:
            torch._foreach_mul_(sizes, 2)
            torch._foreach_add_(sizes, 1)
            torch._foreach_div_(weights, sizes)
            steps = torch._foreach_div(steps, sizes)
        else:
            taken = torch._foreach_minimum(weights, sizes)
            torch._foreach_neg_(sizes)
            torch._foreach_maximum_(taken, sizes)
            torch._foreach_sub_(weights, taken)


def steps_of_adam(
    seconds: list[Tensor],
    corrections: Sequence[float],
    rates: Sequence[float],
    epsilons: Sequence[float],
) -> tuple[Tensor, ...]:
    """Return the step sizes η / (√v̂ + ε) of each element."""
    steps = torch._foreach_div(seconds, corrections)
    torch._foreach_sqrt_(steps)
    torch._foreach_add_(steps, epsilons)
    torch._foreach_reciprocal_(steps)
    torch._foreach_mul_(steps, rates)
    return steps
