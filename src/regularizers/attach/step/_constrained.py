"""Constrained weights: gradients lose a part before the update, weights are projected after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from regularizers.attach.reading import xp
from regularizers.attach.sites import SiteConstraint, is_binary
from regularizers.attach.step._foreach_gradients import dense_gradient
from regularizers.constraints import Bounds, Constraint, NonNegative, project, tangential
from regularizers.errors import RegimeError
from regularizers.modules import whole

_ROUNDING = 16
"""Units in the last place by which a weight may differ from its projection."""

_InPlace: TypeAlias = Callable[[Any, list[Tensor]], None]


def _clamp(bounds: Bounds, weights: list[Tensor]) -> None:
    torch._foreach_clamp_min_(weights, bounds.low)
    torch._foreach_clamp_max_(weights, bounds.high)


def _clamp_at_zero(_: NonNegative, weights: list[Tensor]) -> None:
    torch._foreach_clamp_min_(weights, 0.0)


_FOREACH: dict[type[Constraint], _InPlace] = {Bounds: _clamp, NonNegative: _clamp_at_zero}
"""The projections that foreach operations make, by the exact type of the constraint."""


@dataclass
class ConstrainedWeight:
    """One weight and its constraints, in the order in which they are applied."""

    name: str
    weight: Tensor
    constraints: list[SiteConstraint]
    mask: Callable[[], Tensor] | None = None
    """Returns the current pruning mask; pruned elements keep their values."""

    def check(self) -> None:
        """Raise if a pruned weight cannot hold a constraint.

        Raises:
            RegimeError: the mask has other values than 0 and 1, or a constraint moves its zeros.
        """
        if self.mask is None:
            return
        mask = self.mask()
        if not is_binary(mask):
            raise RegimeError(
                f"{self.name}: it is constrained, and its pruning mask has values other than 0 "
                f"and 1, which would scale the projected weight; narrow the rule"
            )
        x = mask.to(self.weight.dtype) * self.weight
        for one in self.constraints:
            x = projected(one, x)
            if bool(torch.any((mask == 0) & (x != 0))):
                raise RegimeError(
                    f"{self.name}: {one.written!r} moves elements that are pruned away from 0, "
                    f"where the mask keeps them; narrow the rule, or make the pruning permanent "
                    f"with torch.nn.utils.prune.remove"
                )

    def make_tangential(self) -> None:
        """Take out of `.grad` what the constraints do not let an optimizer see."""
        if self.weight.grad is None:
            return
        for one in self.constraints:
            if one.constraint.has_tangent:
                gradient = dense_gradient(self.weight)
                gradient.copy_(_tangential(one, gradient, self._read()))

    def projected(self) -> Tensor:
        """Return the weight projected by each constraint in turn."""
        x = self._read()
        for one in self.constraints:
            x = projected(one, x)
        return x if self.mask is None else torch.where(self.mask() != 0, x, self.weight)

    def project(self) -> None:
        """Project the weight in place."""
        self.weight.copy_(self.projected())

    def begin(self) -> None:
        """Project the weight in place, unless it has been projected and only rounding is left.

        A training that is resumed then goes on from the very weights that were saved.
        """
        x, projected = self.weight.detach(), self.projected()
        rounding = _ROUNDING * torch.finfo(x.dtype).eps
        if bool(whole(((projected - x).abs() > rounding * x.abs()).any())):
            self.weight.copy_(projected)

    def _read(self) -> Tensor:
        """Return the weight as the forward reads it."""
        weight = self.weight.detach()
        return weight if self.mask is None else self.mask().to(weight.dtype) * weight


@dataclass
class ConstrainedForeach:
    """Weights of one dtype and device with the same constraints, projected together."""

    constraints: tuple[Constraint, ...]
    weights: list[Tensor]

    def make_tangential(self) -> None:
        """Do nothing: these constraints take nothing out of a gradient."""

    def projected(self) -> None:
        """Do nothing: these constraints fit any weight."""

    def begin(self) -> None:
        """Project the weights in place; what has been projected stays as it is."""
        self.project()

    def project(self) -> None:
        """Project the weights in place."""
        for constraint in self.constraints:
            _FOREACH[type(constraint)](constraint, self.weights)


def batch_constrained(
    weights: Iterable[ConstrainedWeight],
) -> list[ConstrainedWeight | ConstrainedForeach]:
    """Return the same constrained weights, batched into foreach operations where possible.

    Raises:
        RegimeError: a pruned weight cannot hold a constraint.
    """
    single: list[ConstrainedWeight | ConstrainedForeach] = []
    batched: dict[tuple[object, ...], list[Tensor]] = defaultdict(list)
    for one in weights:
        one.check()
        weight, constraints = one.weight, tuple([each.constraint for each in one.constraints])
        plain = type(weight) in (Tensor, nn.Parameter) and one.mask is None
        if plain and {type(each) for each in constraints} <= _FOREACH.keys():
            batched[weight.device, weight.dtype, constraints].append(weight)
        else:
            single.append(one)
    return single + [
        ConstrainedForeach(constraints, some)  # type: ignore[arg-type]
        for (*_, constraints), some in batched.items()
    ]


def projected(one: SiteConstraint, weight: Tensor) -> Tensor:
    """Return the projection of a weight, read in the view of the constraint."""
    shape = one.view or weight.shape
    viewed: Tensor = project(xp, weight.reshape(shape), one.constraint)
    return viewed.reshape(weight.shape)


def _tangential(one: SiteConstraint, gradient: Tensor, weight: Tensor) -> Tensor:
    shape = one.view or weight.shape
    viewed: Tensor = tangential(xp, gradient.reshape(shape), weight.reshape(shape), one.constraint)
    return viewed.reshape(gradient.shape)
