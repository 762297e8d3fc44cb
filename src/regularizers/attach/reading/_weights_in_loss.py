"""The penalties of weights as terms of the loss, for as long as no optimizer applies them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.utils.hooks import RemovableHandle

from regularizers.attach.reading._weights import read_weights
from regularizers.attach.sites import Parameter, Sites, Strengths, check_is_whole
from regularizers.errors import RegimeError
from regularizers.modules import Hook, is_recording


class WeightsInLoss:
    """The weights that the loss is to be about: all, until they are attached to an optimizer."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._noting = NotingWeights(sites.parameters)
        self._left = False
        self._checked = False

    def attach(self, model: nn.Module) -> list[RemovableHandle]:
        """Put the hook in that notes which weights a forward uses."""
        return self._noting.attach(model)

    def follow(self) -> None:
        """Know the weights that have joined."""
        if not self._left:
            self._noting.follow(self._sites.parameters)

    def pause(self, paused: bool) -> None:
        """Note nothing for as long as forwards do not count."""
        self._noting.paused = paused

    def units(self) -> dict[str, Tensor]:
        """Return the penalties of all trainable weights as they are now, for a strength of 1.

        Raises:
            RegimeError: a proximal rule, whose gradient is not the loss's; or weights that are not
                those the forward used.
        """
        groups = self._sites.weights
        if self._left or not groups:
            return {}
        for group in groups if torch.is_grad_enabled() else ():
            if group.rule.proximal:
                raise RegimeError(
                    f"{group.sites[0].parameter.full_name}: its rule is proximal, so it acts after "
                    f"a step of the optimizer and not in the loss; call reg.attach(optimizer) "
                    f"before training"
                )
        if not self._checked:
            for parameter in self._sites.parameters:
                check_is_whole(parameter)
            self._checked = True
        self._noting.check()
        return {entry.key: value for group in groups for entry, value in read_weights(group)}

    @torch.no_grad()
    def values(self, strengths: Strengths) -> dict[str, Tensor]:
        """Return the penalties of weights as they are now, but of those that are sharded.

        A weight that does not count, since it is frozen or tied to another, has 0.
        """
        if self._left:
            return {}
        values: dict[str, Tensor] = {}
        for group in self._sites.weights:
            for site in group.sites:
                if not isinstance(site.parameter.plain, DTensor):
                    values |= {entry.key: torch.zeros(()) for entry in site.entries}
            for entry, value in read_weights(group, whole_only=True):
                values[entry.key] = strengths.times(entry.key, value)
        return values

    def leave(self) -> None:
        """Leave the weights to an optimizer from now on."""
        self._left = True
        self._noting.close()


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
