"""Nested tensors, which hold sequences of unequal lengths without padding."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.errors import OutputError

PADDED = (
    "pad it, and say what is padding: activity(..., select=lambda y: y.to_padded_tensor(0.0)), and "
    "around the forward `with reg.mask(valid, where=...)`"
)
"""What to do with a nested tensor, for messages."""


def check_readable(x: Tensor, site: str) -> None:
    """Raise unless a nested tensor has `layout=torch.jagged`.

    Raises:
        OutputError: a nested tensor of the older layout, which has no shape.
    """
    if x.layout != torch.jagged:
        raise OutputError(
            f"{site}: the output is a nested tensor without a shape, which cannot be read; "
            f"make it with layout=torch.jagged, or {PADDED}"
        )


def refuse_nested(x: Tensor, what: str, site: str) -> None:
    """Raise if `x` is a nested tensor.

    Args:
        x: an output.
        what: what cannot read it, for the message.
        site: the name of the site.

    Raises:
        OutputError: `x` is nested.

    Example:
        >>> import torch
        >>> from regularizers.modules import refuse_nested
        >>> jagged = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)],
        ...                                     layout=torch.jagged)
        >>> refuse_nested(jagged, "a mask", "encoder")
        Traceback (most recent call last):
        regularizers.errors.OutputError: encoder: a mask cannot read a nested tensor, ...
    """
    if x.is_nested:
        raise OutputError(
            f"{site}: {what} cannot read a nested tensor, got one of {x.dim()} axes; {PADDED}"
        )
