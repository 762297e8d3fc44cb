"""Reads the rows of each batch of data at the sites of a model."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from regularizers.errors import (
    ConfigurationError,
    DataError,
    OutputError,
    RegimeError,
    ShapeError,
)
from regularizers.modules import Hook, may_hold_a_part_of_the_units
from regularizers.sae.streams._evaluation import Forward, evaluated
from regularizers.sae.streams._rows import Block, Rows, rows_of
from regularizers.sae.streams._sites import Site
from regularizers.sae.streams._token_masks import TokenMask

Layout = dict[str, tuple[int, torch.dtype]]
"""The width and type of the rows of each site."""


class ActivationSource:
    """The rows at sites of a model, of one batch of data after another."""

    def __init__(
        self,
        model: nn.Module,
        sites: Sequence[Site],
        data: Iterable[Any],
        mask: TokenMask,
        forward: Forward,
    ) -> None:
        self.model, self.sites, self.mask = model, sites, mask
        self.layout: Layout = {}
        """What every batch must be like; that of the first, if it is empty."""
        self._data = data
        self._forward = forward
        _check_data(data)

    def blocks(self, start: int = 0) -> Generator[Block]:
        """Yield the rows of each batch of data from number `start` on, in the order of the data.

        Raises:
            DataError: the data has fewer batches, or an activation is not finite.
            ShapeError: sites have other positions than each other, or other widths than before.
            OutputError: a module did not run once, or its output is no floating tensor.
            RegimeError: under tensor parallelism an output may be a part of its units.
        """
        self._check_whole()
        batches = iter(self._data)
        for number in range(start):
            if next(batches, self) is self:
                raise DataError(
                    f"data: expected the batches that the position was saved with, {start} or "
                    f"more, got {number}; the data must give the same batches in the same order"
                )
        for number, batch in enumerate(batches, start):
            block = self._block(batch, number)
            self._check_layout(block, number)
            yield block

    def _block(self, batch: Any, number: int) -> Block:
        counted = self.mask.of(batch)
        hooks = [SiteHook(site, counted) for site in self.sites]
        handles = []
        try:
            with evaluated(self.model):
                for hook, site in zip(hooks, self.sites, strict=True):
                    handles.append(site.module.register_forward_hook(hook))
                self._forward(self.model, batch)
        finally:
            for handle in handles:
                handle.remove()
        found = {site.name: hook.result() for hook, site in zip(hooks, self.sites, strict=True)}
        _check_aligned(found)
        for name, (rows, _) in found.items():
            if not rows.isfinite().all():
                raise DataError(
                    f"{name}: expected finite activations, got {int((~rows.isfinite()).sum())} NaN "
                    f"or infinite numbers of {rows.numel()} in batch {number} of the data; mask "
                    f"them, or run the model in a wider type"
                )
        return {name: rows for name, (rows, _) in found.items()}

    def _check_whole(self) -> None:
        for site in self.sites:
            if may_hold_a_part_of_the_units(site.module, self.model):
                raise RegimeError(
                    f"{site.name}: under tensor parallelism this output may hold a part of the "
                    f"units; read a module sharded by rows, whose output is whole"
                )

    def _check_layout(self, block: Block, number: int) -> None:
        layout = {name: (rows.shape[1], rows.dtype) for name, rows in block.items()}
        self.layout = self.layout or layout
        for name, (width, dtype) in layout.items():
            if (width, dtype) != self.layout[name]:
                before = self.layout[name]
                raise ShapeError(
                    f"{name}: expected rows of width {before[0]} and type {before[1]}, as before, "
                    f"got width {width} and type {dtype} in batch {number} of the data; "
                    f"channel_axis= says which axis counts units"
                )


class SiteHook(Hook):
    """The hook that copies the rows of one site during one forward."""

    def __init__(self, site: Site, counted: Tensor | None) -> None:
        self._site = site.name
        self._read = site
        self._counted = counted
        self._rows: Rows | None = None

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Copy the rows of `output`."""
        if self._rows is not None:
            raise OutputError(
                f"{self._site}: expected a module that runs once in a forward, but it ran twice, "
                f"so its rows are of different uses; read the modules around each use"
            )
        self._rows = rows_of(self._read, output, self._counted)

    def result(self) -> Rows:
        """Return the rows.

        Raises:
            OutputError: the module did not run.
        """
        if self._rows is None:
            raise OutputError(
                f"{self._site}: the module did not run in the forward; choose another, or say how "
                f"it runs: activations(..., forward=lambda model, batch: ...)"
            )
        return self._rows


def _check_aligned(found: Mapping[str, Rows]) -> None:
    (first, one), *others = found.items()
    for name, rows in others:
        if rows.positions != one.positions or len(rows.rows) != len(one.rows):
            raise ShapeError(
                f"expected sites with the same positions, so that their rows are of the same "
                f"tokens, got {one.positions} at {first} and {rows.positions} at {name}; read "
                f"them in streams of their own"
            )


def _check_data(data: object) -> None:
    if isinstance(data, (Tensor, Mapping, str)) or not isinstance(data, Iterable):
        cure = "; write [batch], or x.split(256) for a tensor x of samples"
        raise ConfigurationError(
            f"data: expected an iterable of batches, such as a DataLoader or a list, got a "
            f"{type(data).__name__}{cure}"
        )
    if isinstance(data, Iterator):
        raise ConfigurationError(
            f"data: expected batches that can be iterated again for each epoch and to resume, such "
            f"as a DataLoader or a list, got a {type(data).__name__}, which is used up after one"
        )
