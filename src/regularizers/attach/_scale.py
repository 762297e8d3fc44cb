"""The scale of the loss: what a penalty that enters by the data path is multiplied by."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from regularizers.attach._handles import Handles
from regularizers.errors import RegimeError

_scales: Handles[Scale] = Handles()


def of(handle: int) -> Scale:
    """Return the scale that a graph knows by its number.

    Raises:
        RegimeError: its Regularization is no more.
    """
    scale = _scales.find(handle)
    if scale is None:
        raise RegimeError(
            "the Regularization of this graph was deleted before its backward pass; keep it as "
            "long as its model is trained"
        )
    return scale


def read(gradient: Tensor, handle: int, site: str) -> Tensor:
    """Return the scale for `site`, where `gradient` is and at least in float32."""
    return of(handle).read(site, gradient)


class Scale:
    """The gradient that reached the loss in this backward pass, or one set for good.

    It is known only while a backward pass that went through `scale_from` is running: at its end it
    is forgotten, so that a later one cannot use it by mistake.
    """

    def __init__(self, sites: Iterable[str]) -> None:
        self.handle = _scales.add(self)
        self.closed = False
        self._silent = set(sites)
        self._current: Tensor | None = None
        self._fixed: Tensor | None = None

    def fix(self, scale: float) -> None:
        """Use `scale` where no loss is seen."""
        self._fixed = torch.tensor(scale, dtype=torch.float64)

    def expect(self, site: str) -> None:
        """Know of a site that has not fired yet."""
        self._silent.add(site)

    def seen(self, site: str) -> None:
        """Know that the forward has come by `site`."""
        self._silent.discard(site)

    def arm(self, gradient: Tensor) -> None:
        """Take `gradient` for the scale until the running backward pass ends."""
        if self._current is None:
            torch.autograd.Variable._execution_engine.queue_callback(self._end)
        elif not torch.equal(self._current, gradient):
            raise RegimeError(
                "scale_from was called on two losses of one backward pass, whose scales are not "
                "the same; call it once, on their sum"
            )
        self._current = gradient.detach().clone()

    def disarm(self) -> None:
        """Forget the scale of a backward pass that raised."""
        self._current = None

    def read(self, site: str, gradient: Tensor) -> Tensor:
        """Return the scale for `site`, where `gradient` is and at least in float32.

        Raises:
            RegimeError: no scale has arrived in this backward pass.
        """
        self._silent.discard(site)
        scale = self._fixed if self._current is None else self._current
        if scale is None:
            raise RegimeError(
                f"{site}: the scale of the loss is not known in this backward pass; wrap the loss, "
                f"loss = reg.scale_from(loss), or say it with reg.set_scale()"
            )
        dtype = torch.promote_types(gradient.dtype, torch.float32)
        return scale.to(gradient.device, dtype, copy=True)

    def _end(self) -> None:
        self._current = None
        if self._silent:
            site = min(self._silent)
            self._silent.discard(site)
            raise RegimeError(
                f"{site}: the site has never fired; is it called by the forward, and was "
                f"Regularization attached before the model was first compiled?"
            )
