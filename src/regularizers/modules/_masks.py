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
    """The masks set by `with reg.mask(...)`, by module.

    Example:
        >>> import torch
        >>> from regularizers.modules import Masks
        >>> masks, layer = Masks(), torch.nn.ReLU()
        >>> with masks.put({layer: torch.tensor([True, False])}):
        ...     masks.of(layer, "layer")
        tensor([ True, False])
        >>> masks.of(layer, "layer") is None
        True
    """

    def __init__(self) -> None:
        self.any = False
        self._by_module: Mapping[nn.Module, Tensor] = {}

    @contextmanager
    def put(self, masks: Mapping[nn.Module, Tensor]) -> Iterator[None]:
        """Set masks of modules inside the context; masks of other modules stay.

        Args:
            masks: a boolean tensor by module.
        """
        before = self._by_module
        self._by_module, self.any = {**before, **masks}, True
        try:
            yield
        finally:
            self._by_module, self.any = before, bool(before)

    def of(self, module: nn.Module, site: str) -> Tensor | None:
        """Return the mask of a module.

        Args:
            module: the module.
            site: its name, for messages.

        Raises:
            RegimeError: inside compiled code, which would keep the first mask as a constant.
        """
        mask = self._by_module.get(module)
        if mask is not None and torch.compiler.is_compiling():
            raise RegimeError(
                f"{site}: under torch.compile a mask must come with the inputs; use "
                f"activity(..., mask=FUNCTION of the module's inputs)"
            )
        return mask


def masked(activation: Activation, mask: Any, site: str) -> Activation:
    """Return the activation with `mask`, combined with a mask that it has already.

    Args:
        activation: what is masked.
        mask: boolean, over its leading axes.
        site: the name of the module, for messages.

    Raises:
        OutputError: the mask is not a boolean tensor, or the output is a nested tensor.
        ShapeError: the mask's shape differs from the leading axes of the output.

    Example:
        >>> import torch
        >>> from regularizers.modules import Activation, masked
        >>> activation = Activation(torch.ones(2, 3), 0)
        >>> masked(activation, torch.tensor([True, False]), "encoder").mask
        tensor([ True, False])
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
    """Call the mask function of a rule with the inputs of its module.

    Args:
        function: `mask=` of a rule.
        args: the positional arguments of the module.
        kwargs: its keyword arguments.
        site: the name of the module, for messages.

    Example:
        >>> import torch
        >>> from regularizers.modules import mask_of
        >>> words = torch.tensor([[5, 0]])
        >>> mask_of(lambda words: words != 0, (words,), {}, "embedding")
        tensor([[ True, False]])
    """
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        given = [describe(a) for a in args] + [f"{k}={describe(v)}" for k, v in kwargs.items()]
        raise OutputError(
            f"{site}: mask: expected a function of the module's inputs, which are "
            f"({', '.join(given)}); it raised TypeError: {error}"
        ) from error
