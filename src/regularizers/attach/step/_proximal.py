"""The proximal form of weight penalties: weights shrunk after a step, to exactly 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from regularizers.attach.reading import xp
from regularizers.attach.sites import is_binary
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.penalties import Formula, proximal


@dataclass
class Shrinking:
    """The proximal penalties of one weight, each with the key of its strength."""

    name: str
    weight: Tensor
    group: dict[str, Any]
    strengths: Mapping[str, float]
    terms: list[tuple[Formula, str]]
    mask: Callable[[], Tensor] | None = None
    """Of a pruned weight: returns its mask as it is now; what is pruned stays as it is."""
    view: tuple[int, ...] | None = None
    """The shape in which a penalty of groups reads the weight, if that is not its own."""

    def __post_init__(self) -> None:
        if self.mask is not None and not is_binary(self.mask()):
            raise RegimeError(
                f"{self.name}: its rule is proximal, and its pruning mask has values other than 0 "
                f"and 1, for which the step is not known; use proximal=False"
            )

    def shrink(self, optimizer: Optimizer) -> None:
        """Shrink the weight by the step size of the optimizer; not where it made no step."""
        if self.weight.grad is None:
            return
        check_shrinks(optimizer, self.group, self.name)
        step = _step_size(optimizer, self.group, self.weight)
        found_inf: Tensor | None = getattr(optimizer, "found_inf", None)
        if found_inf is not None:
            # a fused optimizer leaves out a step whose gradients overflowed
            step = step * (found_inf.to(self.weight.device) == 0)
        terms = [(term, self.strengths[key]) for term, key in self.terms]
        if self.mask is None:
            self.weight.copy_(self._shrunk(self.weight, step, terms))
            return
        mask = self.mask().to(self.weight.dtype)
        shrunk = self._shrunk(mask * self.weight, step, terms)
        self.weight.copy_(torch.where(mask != 0, shrunk, self.weight))

    def _shrunk(self, x: Tensor, step: Any, terms: list[tuple[Formula, float]]) -> Tensor:
        if self.view is None:
            result: Tensor = proximal(xp, x, step, terms)
            return result
        if isinstance(step, Tensor) and step.ndim:
            step = step.reshape(self.view)
        viewed: Tensor = proximal(xp, x.reshape(self.view), step, terms)
        return viewed.reshape(x.shape)


def check_shrinks(optimizer: Optimizer, group: dict[str, Any], site: str) -> None:
    """Raise unless it is known how far a step of `optimizer` moves a weight of `group`."""
    if type(optimizer) not in (SGD, Adam, AdamW):
        raise RegimeError(
            f"{site}: its rule is proximal, whose threshold is known for torch.optim.SGD, Adam and "
            f"AdamW, got {type(optimizer).__name__}; use one of these, or proximal=False"
        )
    if group.get("lr") is None:
        raise ConfigurationError(
            f"{site}: its rule is proximal and needs the learning rate of the optimizer, but its "
            f"parameter group has no 'lr'"
        )
    if group["maximize"]:
        raise RegimeError(
            f"{site}: its rule is proximal, which minimises, and the optimizer maximises; negate "
            f"the loss and use maximize=False"
        )


def _step_size(optimizer: Optimizer, group: dict[str, Any], weight: Tensor) -> Any:
    r"""Return τ, by which a lasting gradient g moves the weight: -τg a step.

    .. math:: \tau = \eta\,\frac{1 - \text{dampening}}{1 - \mu} \quad\text{(SGD)}, \qquad
        \tau = \frac{\eta}{\sqrt{\hat v} + \varepsilon} \quad\text{(Adam, AdamW)}

    At a fixed point of step and shrinking the gradient then balances the penalty, so that it is
    where their sum is least.
    """
    if isinstance(optimizer, SGD):
        return step_of_sgd(group)
    second, correction = moment_of_adam(optimizer, group, weight)
    return group["lr"] / ((second / correction).sqrt() + group["eps"])


def step_of_sgd(group: dict[str, Any]) -> Any:
    """Return τ of SGD, for all weights of a group."""
    rate, momentum = group["lr"], group["momentum"]
    return rate * (1 - group["dampening"]) / (1 - momentum) if momentum else rate


def moment_of_adam(optimizer: Optimizer, group: dict[str, Any], weight: Tensor) -> tuple[Any, Any]:
    """Return v, with `amsgrad` the largest so far, and what it is divided by to become v̂.

    That is a number where Adam counts its steps on the CPU, and a tensor elsewhere.
    """
    state = optimizer.state[weight]
    second = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
    # Adam counts in float32, of which a power would be too coarse
    count = torch.as_tensor(state["step"])
    exponent = count.item() if count.is_cpu else count.double()
    return second, 1 - group["betas"][1] ** exponent
