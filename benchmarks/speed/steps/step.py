"""One whole step of training: gradients to zero, forward, loss, backward, update."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Literal

import torch
from benchmarks.speed.settings import Settings
from benchmarks.speed.steps.models import Blocks
from benchmarks.speed.steps.subjects import Subject
from benchmarks.speed.steps.ways import Way
from torch import Tensor, nn
from torch.nn import functional

Variant = Literal["plain", "compiled", "checkpointed"]


class Step:
    """A network in training; a call makes one step. All start with the same weights."""

    def __init__(
        self, subject: Subject, way: Way, settings: Settings, variant: Variant = "plain"
    ) -> None:
        torch.manual_seed(0)
        self.model = subject.build().to(subject.inputs.device)
        for module in self.model.modules():
            if isinstance(module, Blocks):
                module.checkpointed = variant == "checkpointed"
        self._optimizer = subject.optimizer(self.model.parameters())
        self._whole = way(self.model, self._optimizer, subject)
        self._forward: Callable[[Tensor], Tensor] = self.model
        if variant == "compiled":
            self._forward = settings.compiled(_own_call(self.model))
        self._inputs, self._targets = subject.inputs, subject.targets

    def __call__(self) -> None:
        """Make one step."""
        self._optimizer.zero_grad()
        logits = self._forward(self._inputs)
        loss = functional.cross_entropy(logits.flatten(0, -2), self._targets.flatten())
        self._whole(loss).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()


def _own_call(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a call of `model` whose compiled program belongs to no other model.

    The compiler keeps its programs with the code it is given, which all modules have in common, and
    does not ask whether their hooks are the same.
    """

    def call(x: Tensor) -> Tensor:
        y: Tensor = model(x)
        return y

    return FunctionType(call.__code__.replace(), call.__globals__, closure=call.__closure__)
