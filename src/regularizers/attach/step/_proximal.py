"""Proximal weight penalties: after the optimizer's update, weights shrink to exactly 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from regularizers.attach.reading import xp
from regularizers.attach.sites import Reference, Strengths, is_binary
from regularizers.attach.step._refused_optimizers import full_name
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.penalties import Formula, proximal


@dataclass
class ProximalWeight:
    """One weight and its proximal penalties, each with the key of its strength."""

    name: str
    weight: Tensor
    group: dict[str, Any]
    strengths: Strengths
    terms: list[tuple[Formula, str]]
    mask: Callable[[], Tensor] | None = None
    """Returns the current pruning mask; pruned elements keep their values."""
    view: tuple[int, ...] | None = None
    """The shape in which a group penalty reads the weight, if it differs from the weight's."""
    reference: Reference | None = None
    """What all its penalties are measured from and by."""

    def __post_init__(self) -> None:
        check_mask_is_binary(self.name, self.mask)

    def shrink(self, optimizer: Optimizer) -> None:
        """Take the proximal step, unless the optimizer did not update the weight."""
        if self.weight.grad is None:
            return
        step = step_taken(optimizer, self.group, self.weight, self.name)
        terms = [(term, self._strength(key)) for term, key in self.terms]
        if self.mask is None:
            self.weight.copy_(self._shrunk(self.weight, step, terms))
            return
        mask = self.mask().to(self.weight.dtype)
        shrunk = self._shrunk(mask * self.weight, step, terms)
        self.weight.copy_(torch.where(mask != 0, shrunk, self.weight))

    def _strength(self, key: str) -> float | Tensor:
        strength = self.strengths.value(key)
        return strength.to(self.weight.device) if isinstance(strength, Tensor) else strength

    def _shrunk(self, x: Tensor, step: Any, terms: list[tuple[Formula, Any]]) -> Tensor:
        """Return the proximal step of the weight `x`.

        That of p(w − w⁰) is the step of p from w − w⁰, shifted back; an importance multiplies the
        step of each element.
        """
        reference = self.reference
        if reference is None:
            return self._shrunk_in_view(x, step, terms)
        if reference.is_weighted:
            step = step * reference.importance(x)
        if not reference.is_shifted:
            return self._shrunk_in_view(x, step, terms)
        difference = reference.measured(x)
        shrunk = self._shrunk_in_view(difference, step, terms)
        # rounding must not move what the step leaves alone
        return torch.where(shrunk == difference, x, (reference.towards(x) + shrunk).to(x.dtype))

    def _shrunk_in_view(self, x: Tensor, step: Any, terms: list[tuple[Formula, Any]]) -> Tensor:
        if self.view is None:
            result: Tensor = proximal(xp, x, step, terms)
            return result
        if isinstance(step, Tensor) and step.ndim:
            step = step.reshape(self.view)
        viewed: Tensor = proximal(xp, x.reshape(self.view), step, terms)
        return viewed.reshape(x.shape)


def check_mask_is_binary(site: str, mask: Callable[[], Tensor] | None) -> None:
    """Raise if a weight is pruned by more than zeros."""
    if mask is not None and not is_binary(mask()):
        raise RegimeError(
            f"{site}: its rule is proximal, and its pruning mask has values other than 0 "
            f"and 1, for which no proximal step is known; use proximal=False"
        )


def check_step_size_is_known(optimizer: Optimizer, group: dict[str, Any], site: str) -> None:
    """Raise unless the step size of `optimizer` for the weights of `group` is known."""
    if type(optimizer) not in (SGD, Adam, AdamW):
        raise RegimeError(
            f"{site}: its rule is proximal, whose threshold is known for torch.optim.SGD, Adam and "
            f"AdamW, got {full_name(optimizer)}; use one of these, or proximal=False"
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


def step_taken(optimizer: Optimizer, group: dict[str, Any], weight: Tensor, site: str) -> Any:
    """Return the step size of the step that the optimizer has made: 0 if it skipped the step.

    Raises:
        RegimeError: as `check_step_size_is_known`.
    """
    check_step_size_is_known(optimizer, group, site)
    step = _step_size(optimizer, group, weight)
    found_inf: Tensor | None = getattr(optimizer, "found_inf", None)
    # a fused optimizer skips a step whose gradients overflowed, on the device
    return step if found_inf is None else step * (found_inf.to(weight.device) == 0)


def _step_size(optimizer: Optimizer, group: dict[str, Any], weight: Tensor) -> Any:
    r"""Return the step size τ: a constant gradient g moves the weight by -τg in each step.

    .. math:: \tau = \eta\,\frac{1 - \text{dampening}}{1 - \mu} \quad\text{(SGD)}, \qquad
        \tau = \frac{\eta}{\sqrt{\hat v} + \varepsilon} \quad\text{(Adam, AdamW)}

    At a fixed point of update and proximal step the gradient of the loss then balances that of the
    penalty, so the fixed point minimises their sum.
    """
    if isinstance(optimizer, SGD):
        return sgd_step_size(group)
    second, correction = adam_second_moment(optimizer, group, weight)
    return group["lr"] / ((second / correction).sqrt() + group["eps"])


def sgd_step_size(group: dict[str, Any]) -> Any:
    """Return τ of SGD, which all weights of a group share."""
    rate, momentum = group["lr"], group["momentum"]
    return rate * (1 - group["dampening"]) / (1 - momentum) if momentum else rate


def adam_second_moment(
    optimizer: Optimizer, group: dict[str, Any], weight: Tensor
) -> tuple[Any, Any]:
    """Return the second moment v (with `amsgrad` its maximum) and its bias correction: v̂ = v / it.

    The correction is a number if Adam's step count is on the CPU, else a tensor.
    """
    state = optimizer.state[weight]
    second = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
    # the step count is a float32 tensor, in which the power would lose digits
    count = torch.as_tensor(state["step"])
    exponent = count.tolist() if count.is_cpu else count.double()
    return second, 1 - group["betas"][1] ** exponent
