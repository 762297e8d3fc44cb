"""The penalties of weights as terms of the loss, for as long as no optimizer applies them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.hooks import RemovableHandle

from regularizers.attach._noting import NotingWeights
from regularizers.attach._sites import Sites
from regularizers.attach._strengths import Strengths
from regularizers.attach._weights import check_is_whole
from regularizers.errors import RegimeError


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
        if self._left:
            return {}
        groups = self._sites.weights
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
        return {entry.key: value for group in groups for entry, value in group.read()}

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
            for entry, value in group.read(whole_only=True):
                values[entry.key] = strengths.times(entry.key, value)
        return values

    def leave(self) -> None:
        """Leave the weights to an optimizer from now on."""
        self._left = True
        self._noting.close()
