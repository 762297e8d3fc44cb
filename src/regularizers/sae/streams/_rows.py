"""Rows of an output: each position that counts is a sample, its channels are the units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from regularizers.errors import DataError, ShapeError
from regularizers.modules import Activation, activation_of, masked, refuse_nested
from regularizers.sae.streams._sites import Site

Block: TypeAlias = dict[str, Tensor]
"""Rows by the name of their site, as many at each."""

Batch: TypeAlias = Tensor | dict[str, Tensor]
"""Rows of one site, (batch_size, width); of several sites by name."""


class Rows(NamedTuple):
    """The rows of one output, and the shape of the positions that they were taken from."""

    rows: Tensor
    positions: tuple[int, ...]


def length_of(block: Mapping[str, Tensor]) -> int:
    """Return the number of rows of a block."""
    return len(next(iter(block.values())))


def part_of(block: Mapping[str, Tensor], start: int, end: int) -> Block:
    """Return some rows of a block; they share its memory."""
    return {name: rows[start:end] for name, rows in block.items()}


def check_varies(block: Mapping[str, Tensor]) -> None:
    """Raise if all rows of a site are equal, of two rows or more.

    Raises:
        DataError: they are.
    """
    for name, rows in block.items():
        if len(rows) > 1 and bool((rows == rows[:1]).all()):
            raise DataError(
                f"{name}: expected activations that differ between samples, got {len(rows)} equal "
                f"rows; choose another module, or check the data"
            )


def batch_of(block: Block) -> Batch:
    """Return the rows of one site alone, or those of several by name."""
    return next(iter(block.values())) if len(block) == 1 else block


def rows_of(site: Site, output: Any, counted: Tensor | None) -> Rows:
    """Return a copy of the rows of an output that count, so that it may be changed in place after.

    Args:
        site: where the output is from.
        output: what the module returned.
        counted: a boolean tensor over (batch, tokens), or None.

    Raises:
        OutputError: no floating tensor is selected in the output, or it is nested and masked.
        ShapeError: the mask does not fit the positions of the output.
    """
    found = activation_of(site.module, output, site.select, site.name)
    if found.x.is_nested:
        return _rows_of_nested(found.x.detach(), counted, site)
    activation = _positions_first(found, site)
    if counted is not None:
        _check_fits(counted, activation.x, site)
        activation = masked(activation, counted.to(activation.x.device), site.name)
    x, mask = activation.x, activation.mask
    rows = x.clone(memory_format=torch.contiguous_format) if mask is None else x[mask]
    return Rows(rows.reshape(-1, x.shape[-1]), tuple(x.shape[:-1]))


def _positions_first(found: Activation, site: Site) -> Activation:
    """Return the output with the axes (batch, tokens, other positions, units)."""
    x = found.x.detach()
    channel = site.channel_axis_of(x) if x.ndim else 0
    if x.ndim == 0:
        raise ShapeError(f"{site.name}: expected an output with an axis of units, got one number")
    leading = [axis for axis in found.sample_axes(None) if axis != channel]
    others = [axis for axis in range(x.ndim) if axis != channel and axis not in leading]
    order = [*leading, *others, channel]
    mask = found.mask
    if mask is not None:
        mask = mask.permute([axis for axis in order if axis < mask.ndim])
    return Activation(x.permute(order), 0, mask)


def _check_fits(counted: Tensor, x: Tensor, site: Site) -> None:
    positions = tuple(x.shape[:-1])
    if tuple(counted.shape) != positions[: counted.ndim]:
        raise ShapeError(
            f"{site.name}: mask: expected the shape of the positions of the output or of its "
            f"leading ones, {positions} of (batch, tokens), got {tuple(counted.shape)}; return "
            f"another from activations(..., mask=FUNCTION of the batch), or None if all count"
        )


def _rows_of_nested(x: Tensor, counted: Tensor | None, site: Site) -> Rows:
    """Return the tokens of a jagged tensor, which has no padding."""
    if counted is not None:
        refuse_nested(x, "a mask", site.name)
    if x.dim() != 3 or _has_holes(x) or site.channel_axis not in (None, -1, 2):
        refuse_nested(x, "a stream of tokens", site.name)
    values = x.values()
    return Rows(values.clone(), (len(values),))


def _has_holes(x: Tensor) -> bool:
    return x.lengths() is not None  # type: ignore[attr-defined]
