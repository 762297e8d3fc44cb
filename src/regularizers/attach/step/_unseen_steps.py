"""Detects optimizer steps that no hook saw: a weight has changed since its backward pass."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._host_copy import HostCopy
from regularizers.errors import RegimeError
from regularizers.modules import OnLoad

_ELEMENTS = 16
"""Number of elements of a weight that are compared."""

_PATIENCE = 2
"""Changes until an ambiguous change counts as an unseen step.

A weight average is written through `.data`, and a sharpness-aware optimizer perturbs the weights
before its second forward; neither is a step.
"""


class UnseenSteps:
    """Compares a sample of one attached weight from the backward pass to the next collection.

    Args:
        name: the name of the weight.
        owner: the module that holds it.
        weight: the weight, a plain tensor.
        optimizer: the name of the optimizer's class, for the message.
    """

    def __init__(self, name: str, owner: nn.Module, weight: Tensor, optimizer: str) -> None:
        self._name, self._owner, self._weight, self._optimizer = name, owner, weight, optimizer
        self._steps = 0
        self._steps_before = 0
        self._moved = 0
        self._sample: _Sample | None = None

    def attach(self) -> list[RemovableHandle]:
        """Register hooks on the weight's gradient and on `load_state_dict`."""
        me = weakref.ref(self)

        def reached(weight: Tensor) -> None:
            watch = me()
            if watch is not None and watch._sample is None:
                watch._sample, watch._steps_before = _Sample(weight), watch._steps

        return [
            self._weight.register_post_accumulate_grad_hook(reached),  # type: ignore[no-untyped-call]
            self._owner.register_load_state_dict_post_hook(OnLoad(self.forget)),  # type: ignore[no-untyped-call]
        ]

    def step(self) -> None:
        """Count a step of the optimizer, seen by its hook."""
        self._steps += 1

    def forget(self) -> None:
        """Drop the sample: a state dict was loaded, so the weight changed on purpose."""
        self._sample = None

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def check(self, *, within_step: bool) -> None:
        """Raise if the weight has changed since its backward pass without a step being seen.

        Args:
            within_step: whether a two-step optimizer may be between its two forwards.

        Raises:
            RegimeError: an optimizer whose steps run no hooks, or another one, made the update.
        """
        if self._sample is None:
            return
        if self._steps != self._steps_before:
            self._sample, self._moved = None, 0
            return
        if not self._sample.differs(self._weight):
            return  # gradients are being accumulated
        by_data = self._sample.version == self._weight._version
        self._sample = None
        self._moved += 1
        if by_data and self._steps:
            return
        if (by_data or within_step) and self._moved < _PATIENCE:
            return
        raise RegimeError(
            f"{self._name}: the weight has changed since the last backward pass, but no step of "
            f"{self._optimizer} was seen, so its rules were not applied; attach the optimizer "
            f"whose step() makes the update, or detach() and use loss + reg.penalty()"
        )


class _Sample:
    """A copy of some elements of a weight, compared without a device synchronisation."""

    def __init__(self, weight: Tensor) -> None:
        self.version = weight._version
        self._values = _some(weight)
        self._changed: HostCopy | None = None

    def differs(self, weight: Tensor) -> bool:
        """Return whether the weight is known to differ; False while the device still computes."""
        if weight.is_cpu:
            return str(_some(weight).tolist()) != str(self._values.tolist())
        if self._changed is None:
            self._changed = HostCopy((_some(weight) != self._values).any())
        if not self._changed.has_arrived:
            return False
        differs, self._changed = self._changed.numbers(), None
        return bool(differs)


def _some(weight: Tensor) -> Tensor:
    flat = weight.detach().reshape(-1)
    return flat[:: max(flat.numel() // _ELEMENTS, 1)][:_ELEMENTS].clone()
