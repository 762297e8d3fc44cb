"""Whether the weights to penalise are those that the forward used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.utils.hooks import RemovableHandle

from regularizers.attach._hooks import Hook, is_recording
from regularizers.attach._parameter import Parameter
from regularizers.errors import RegimeError


class NotingWeights(Hook):
    """Pre-hook of the model: notes the weights its forward uses, to be penalised after it.

    `functional_call` puts others in for as long as it runs, whose gradient would be missed. A
    weight that a hook computes is that of the last forward, which a step makes outdated.
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.paused = False
        self._noted: list[tuple[Parameter, tuple[Tensor | None, ...]]] | None = None
        self._versions: dict[str, list[int]] = {}
        self.follow(parameters)

    def follow(self, parameters: Iterable[Parameter]) -> None:
        """Note these from now on."""
        # FSDP puts in the whole weights itself, and passes their gradient on
        self._parameters = [p for p in parameters if not isinstance(p.owner, FSDPModule)]

    def attach(self, model: nn.Module) -> list[RemovableHandle]:
        """Put the hook in, where there are weights to note."""
        return [model.register_forward_pre_hook(self)] if self._parameters else []

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note the weights of this forward."""
        if is_recording(model) and not self.paused:
            self._noted = [
                (parameter, parameter.sources)
                for parameter in self._parameters
                if not parameter.is_left_by_hook
            ]
        if not torch.compiler.is_compiling():
            self._note_versions()

    def close(self) -> None:
        """Note nothing any more."""
        self._parameters = []
        self._noted = None

    def check(self) -> None:
        """Raise unless the weights are still those that the last forward used."""
        if torch.is_grad_enabled():
            self._check_versions()
        if self._noted is None:
            return
        noted, self._noted = self._noted, None
        for parameter, then in noted:
            for source in parameter.sources:
                if not any(source is one for one in then):
                    raise RegimeError(
                        f"{parameter.full_name}: functional_call has taken back the weights that "
                        f"the forward used, so their gradient would miss the penalty; collect in "
                        f"the forward of a module around the model, and functional_call that module"
                    )

    def _note_versions(self) -> None:
        for parameter in self._parameters:
            if parameter.is_left_by_hook:
                self._versions[parameter.full_name] = _versions(parameter)

    def _check_versions(self) -> None:
        for parameter in self._parameters:
            if not parameter.is_left_by_hook:
                continue
            noted = self._versions.get(parameter.full_name)
            if noted is not None and noted != _versions(parameter):
                raise RegimeError(
                    f"{parameter.full_name}: a forward pre-hook computes this weight, and what it "
                    f"is computed from has changed since; call penalty() after the forward"
                )


def _versions(parameter: Parameter) -> list[int]:
    return [p._version for p in parameter.owner._parameters.values() if p is not None]
