"""The penalties of weights as terms of the loss, for as long as no optimizer applies them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._noting import NotingWeights
from regularizers.attach._sites import Sites
from regularizers.errors import RegimeError


class WeightsInLoss:
    """The weights that the loss is to be about: all, until they are attached to an optimizer."""

    def __init__(self, sites: Sites) -> None:
        self._groups = sites.weights
        self._noting = NotingWeights(sites.parameters)

    def attach(self, model: nn.Module) -> list[RemovableHandle]:
        """Put the hook in that notes which weights a forward uses."""
        return self._noting.attach(model)

    def units(self) -> dict[str, Tensor]:
        """Return the penalties of all trainable weights as they are now, for a strength of 1.

        Raises:
            RegimeError: a proximal rule, whose gradient is not the loss's; or weights that are not
                those the forward used.
        """
        for entry in [e for group in self._groups for site in group.sites for e in site.entries]:
            if entry.proximal and torch.is_grad_enabled():
                raise RegimeError(
                    f"{entry.site}: its rule is proximal, so it acts after a step of the optimizer "
                    f"and not in the loss; call reg.attach(optimizer) before training"
                )
        self._noting.check()
        return {entry.key: value for group in self._groups for entry, value in group.read()}

    def leave(self) -> None:
        """Leave the weights to an optimizer from now on."""
        self._groups = ()
        self._noting.close()
