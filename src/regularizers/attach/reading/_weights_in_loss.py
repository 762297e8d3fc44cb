"""The penalties of weights as terms of the loss, unless an optimizer applies them."""

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
    """The weights that the loss penalises: all, until they are attached to an optimizer."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._used = UsedWeights(sites.parameters)
        self._by_optimizer = False
        self._checked = False

    def attach(self, model: nn.Module) -> list[RemovableHandle]:
        """Register the hook that records which weights a forward uses."""
        return self._used.attach(model)

    def follow(self) -> None:
        """Add the weights that have joined the model."""
        if not self._by_optimizer:
            self._used.follow(self._sites.parameters)

    def pause(self, paused: bool) -> None:
        """Record nothing while forwards do not count."""
        self._used.paused = paused

    def first(self) -> str | None:
        """Return the key of the first penalty of weights; None where an optimizer applies them."""
        groups = [] if self._by_optimizer else self._sites.weights
        return next((group.sites[0].entries[0].key for group in groups), None)

    def units(self) -> dict[str, Tensor]:
        """Return the penalties of all trainable weights as they are now, at strength 1.

        Raises:
            RegimeError: a rule is proximal, so it has no gradient; or the weights are not those
                that the forward used.
        """
        groups = self._sites.weights
        if self._by_optimizer or not groups:
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
        self._used.check()
        return {entry.key: value for group in groups for entry, value in read_weights(group)}

    @torch.no_grad()
    def values(self, strengths: Strengths) -> dict[str, Tensor]:
        """Return the penalties of all weights that are not sharded, as they are now.

        A weight that does not count, since it is frozen or tied to another, has 0.
        """
        if self._by_optimizer:
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
        self._by_optimizer = True
        self._used.close()


class UsedWeights(Hook):
    """Pre-hook of the model: records the weights that its forward uses.

    `functional_call` swaps the weights while it runs; the gradient of a penalty read later would
    miss them. A weight that a hook computes is outdated after a step, until the next forward.
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.paused = False
        self._sources: list[tuple[Parameter, tuple[Tensor | None, ...]]] | None = None
        self._versions: dict[str, list[int]] = {}
        self.follow(parameters)

    def follow(self, parameters: Iterable[Parameter]) -> None:
        """Record these weights from now on."""
        # FSDP swaps in the whole weights itself, and passes their gradient on
        self._parameters = [p for p in parameters if not isinstance(p.owner, FSDPModule)]

    def attach(self, model: nn.Module) -> list[RemovableHandle]:
        """Register the hook, if there are weights to record."""
        return [model.register_forward_pre_hook(self)] if self._parameters else []

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Record the weights of this forward."""
        if is_recording(model) and not self.paused:
            self._sources = [
                (parameter, parameter.sources)
                for parameter in self._parameters
                if not parameter.is_left_by_hook
            ]
        if not torch.compiler.is_compiling():
            self._record_versions()

    def close(self) -> None:
        """Record nothing from now on."""
        self._parameters = []
        self._sources = None

    def check(self) -> None:
        """Raise unless the weights are still those that the last forward used."""
        if torch.is_grad_enabled():
            self._check_versions()
        if self._sources is None:
            return
        used, self._sources = self._sources, None
        for parameter, then in used:
            for source in parameter.sources:
                if not any(source is one for one in then):
                    raise RegimeError(
                        f"{parameter.full_name}: functional_call has taken back the weights that "
                        f"the forward used, so their gradient would miss the penalty; collect in "
                        f"the forward of a module around the model, and functional_call that module"
                    )

    def _record_versions(self) -> None:
        for parameter in self._parameters:
            if parameter.is_left_by_hook:
                self._versions[parameter.full_name] = _versions(parameter)

    def _check_versions(self) -> None:
        for parameter in self._parameters:
            if not parameter.is_left_by_hook:
                continue
            recorded = self._versions.get(parameter.full_name)
            if recorded is not None and recorded != _versions(parameter):
                raise RegimeError(
                    f"{parameter.full_name}: a forward pre-hook computes this weight, and its "
                    f"sources have changed since the forward; call penalty() after the forward"
                )


def _versions(parameter: Parameter) -> list[int]:
    return [p._version for p in parameter.owner._parameters.values() if p is not None]
