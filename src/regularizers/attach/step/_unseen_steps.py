"""Steps that are taken and not seen: a weight moves after a backward pass, and no hook ran."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.errors import RegimeError
from regularizers.modules import OnLoad

_ELEMENTS = 16
"""How many elements of a weight are compared."""

_PATIENCE = 2
"""How often a weight moves before that is taken for a step, where it may be something else.

Averages are written by `.data`, and a two-step optimizer climbs before the second forward.
"""


class UnseenSteps:
    """Compares a sample of one attached weight from the backward pass to the next collection.

    Args:
        name: of the weight.
        owner: the module that has it.
        weight: the weight; ordinary, not sharded.
        optimizer: the name of the optimizer's class, for the message.
    """

    def __init__(self, name: str, owner: nn.Module, weight: Tensor, optimizer: str) -> None:
        self._name, self._owner, self._weight, self._optimizer = name, owner, weight, optimizer
        self._steps = 0
        self._steps_before = 0
        self._moved = 0
        self._sample: _Sample | None = None

    def attach(self) -> list[RemovableHandle]:
        """Put the hooks in: at the weight's gradient, and where a state is loaded."""
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
        """Know that a step of the optimizer was seen."""
        self._steps += 1

    def forget(self) -> None:
        """Compare with nothing: the weight was set on purpose."""
        self._sample = None

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def check(self, *, within_step: bool) -> None:
        """Raise if the weight has moved since a backward pass reached it, and no step was seen.

        Args:
            within_step: whether a two-step optimizer may be half way.

        Raises:
            RegimeError: the optimizer's step is not one that hooks see, or another optimizer's.
        """
        if self._sample is None:
            return
        if self._steps != self._steps_before:
            self._sample, self._moved = None, 0
            return
        if not self._sample.differs(self._weight):
            return  # gradients are accumulated
        by_data = self._sample.version == self._weight._version
        self._sample = None
        self._moved += 1
        if by_data and self._steps:
            return
        if (by_data or within_step) and self._moved < _PATIENCE:
            return
        raise RegimeError(
            f"{self._name}: the weight has changed since the last backward pass, and no step of "
            f"{self._optimizer} was seen, so that its penalty is missing; attach the optimizer "
            f"whose step() makes the update, or detach() and use loss + reg.penalty()"
        )


class _Sample:
    """Some elements of a weight as they were, which nothing waits for."""

    def __init__(self, weight: Tensor) -> None:
        self.version = weight._version
        self._values = _some(weight)

    def differs(self, weight: Tensor) -> bool:
        """Return whether they have changed, as far as that is known without waiting."""
        if weight.is_cpu:
            return str(_some(weight).tolist()) != str(self._values.tolist())
        if not hasattr(self, "_changed"):
            changed = (_some(weight) != self._values).any()
            self._changed = torch.empty((), dtype=torch.bool, pin_memory=True)
            self._changed.copy_(changed, non_blocking=True)
            self._copied = torch.Event(weight.device)
            self._copied.record()
        if not self._copied.query():
            return False
        differs = self._changed.item()
        del self._changed
        return bool(differs)


def _some(weight: Tensor) -> Tensor:
    flat = weight.detach().reshape(-1)
    return flat[:: max(flat.numel() // _ELEMENTS, 1)][:_ELEMENTS].clone()
