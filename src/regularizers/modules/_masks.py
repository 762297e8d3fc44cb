"""Masks: which elements of an output count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.errors import OutputError, RegimeError, ShapeError
from regularizers.modules._nested import refuse_nested
from regularizers.modules._outputs import Activation, describe
from regularizers.modules._types import Mask


class Masks:
    """The masks that a `with reg.mask(...)` puts on sites, by their modules."""

    def __init__(self) -> None:
        self.any = False
        self._of: Mapping[nn.Module, Tensor] = {}

    @contextmanager
    def put(self, masks: Mapping[nn.Module, Tensor]) -> Iterator[None]:
        """Put masks on modules, beside those that are on others, until the context is left."""
        before = self._of
        self._of, self.any = {**before, **masks}, True
        try:
            yield
        finally:
            self._of, self.any = before, bool(before)

    def of(self, module: nn.Module, site: str) -> Tensor | None:
        """Return the mask on a module.

        Raises:
            RegimeError: within compiled code, which could not tell one mask from the next.
        """
        mask = self._of.get(module)
        if mask is not None and torch.compiler.is_compiling():
            raise RegimeError(
                f"{site}: under torch.compile a mask must come with the inputs; use "
                f"activity(..., mask=FUNCTION of the module's inputs)"
            )
        return mask


def masked(activation: Activation, mask: Any, site: str) -> Activation:
    """Return the activation of which only what `mask` says counts.

    Raises:
        OutputError: something else than a boolean tensor, or the mask of a nested tensor.
        ShapeError: a mask that is not over the leading axes of the output.
    """
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise OutputError(
            f"{site}: mask: expected a boolean tensor (True where an element counts), got "
            f"{describe(mask)}; pass `mask != 0`"
        )
    x = activation.x
    refuse_nested(x, "a mask", site)
    if mask.shape != x.shape[: mask.ndim]:
        raise ShapeError(
            f"{site}: mask: expected the leading axes of the output, whose shape is "
            f"{tuple(x.shape)}, got shape {tuple(mask.shape)}"
        )
    if activation.mask is not None:
        mask = activation.mask & mask.reshape(
            mask.shape + (1,) * (activation.mask.ndim - mask.ndim)
        )
    return activation._replace(mask=mask)


def mask_of(function: Mask, args: tuple[Any, ...], kwargs: dict[str, Any], site: str) -> Any:
    """Return what the function of a rule makes of the inputs of its module."""
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        given = [describe(a) for a in args] + [f"{k}={describe(v)}" for k, v in kwargs.items()]
        raise OutputError(
            f"{site}: mask: expected a function of the module's inputs, which are "
            f"({', '.join(given)}); it raised TypeError: {error}"
        ) from error
