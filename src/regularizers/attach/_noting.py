"""Whether the weights to penalise are those that the forward used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.utils.hooks import RemovableHandle

from regularizers.attach._hooks import Hook, is_recording
from regularizers.attach._roles import Parameter
from regularizers.errors import RegimeError


class NotingWeights(Hook):
    """Pre-hook of the model: notes the weights its forward uses, to be penalised after it.

    `functional_call` puts others in for as long as it runs, whose gradient would be missed.
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        # FSDP puts in the whole weights itself, and passes their gradient on
        self._parameters = [p for p in parameters if not isinstance(p.owner, FSDPModule)]
        self._noted: list[tuple[Tensor | None, ...]] | None = None

    def attach(self, model: nn.Module) -> list[RemovableHandle]:
        """Put the hook in, where there are weights to note."""
        return [model.register_forward_pre_hook(self)] if self._parameters else []

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Note the weights of this forward."""
        if is_recording(model):
            self._noted = [parameter.sources for parameter in self._parameters]

    def close(self) -> None:
        """Note nothing any more."""
        self._parameters = []
        self._noted = None

    def check(self) -> None:
        """Raise unless the weights are still those that the last forward used."""
        if self._noted is None:
            return
        noted, self._noted = self._noted, None
        for parameter, sources in zip(self._parameters, noted, strict=True):
            for now, then in zip(parameter.sources, sources, strict=True):
                if now is not then:
                    raise RegimeError(
                        f"{parameter.full_name}: functional_call has taken back the weights that "
                        f"the forward used, so their gradient would miss the penalty; collect in "
                        f"the forward of a module around the model, and functional_call that module"
                    )
