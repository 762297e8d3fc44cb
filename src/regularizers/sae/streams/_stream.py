"""A stream of batches of activations, shuffled through a buffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from regularizers.errors import DataError
from regularizers.sae.streams._buffer import RowBuffer
from regularizers.sae.streams._rows import Batch, Block, batch_of, check_varies
from regularizers.sae.streams._settings import check_count, check_seed, check_state, generator_of
from regularizers.sae.streams._source import ActivationSource
from regularizers.sae.streams._write_store import write_store

_ROWS = 2**18
_BYTES = 2**30


@dataclass
class Progress:
    """How far an epoch is."""

    epoch: int
    position: int = 0
    """How many batches of the data were read."""
    fills: int = 0
    ended: bool = False
    pending: Block | None = None
    """Rows that the buffer had no room for."""
    buffer: RowBuffer | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return a copy."""
        pending = self.pending
        return {
            **{key: getattr(self, key) for key in ("epoch", "position", "fills", "ended")},
            "pending": pending and {name: rows.clone() for name, rows in pending.items()},
            "buffer": self.buffer and self.buffer.state_dict(),
        }


class ActivationStream:
    """Batches of activations; `activations` makes one.

    Each iteration is an epoch: every row that counts is given exactly once. Epochs differ in their
    order, which `seed` determines. An iteration that was left early begins its epoch anew; after
    `load_state_dict` it goes on where the state was saved.

    Args:
        source: the model, its sites and the data; `activations` makes it.
        batch_size: rows in a batch, as for `activations`.
        buffer: rows that are shuffled together; None: as many as `activations` says.
        seed: determines the order.
        device: where the buffer and the batches are; None: where the activations are.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> data = torch.randn(10, 8).split(4)
        >>> stream = rz.sae.activations(torch.nn.Linear(8, 3), "", data, batch_size=4)
        >>> [tuple(batch.shape) for batch in stream]
        [(4, 3), (4, 3), (2, 3)]
    """

    def __init__(
        self,
        source: ActivationSource,
        batch_size: int,
        buffer: int | None,
        seed: int,
        device: torch.device | str | None,
    ) -> None:
        check_count("batch_size", batch_size, 1, "rows in a batch")
        check_seed(seed)
        if buffer is not None:
            check_count("buffer", buffer, 0, "rows that are shuffled together")
        self.batch_size, self.seed = batch_size, seed
        self._source, self._buffer = source, buffer
        self._device = None if device is None else torch.device(device)
        self._progress, self._goes_on = Progress(0), False

    @property
    def sites(self) -> tuple[str, ...]:
        """The names of the sites that are read."""
        return tuple(site.name for site in self._source.sites)

    @property
    def epoch(self) -> int:
        """The number of the epoch that the next batch is of."""
        return self._progress.epoch

    def __iter__(self) -> Iterator[Batch]:
        """Begin the epoch, or go on after `load_state_dict`."""
        if not self._goes_on:
            self._progress = Progress(self._progress.epoch)
        self._goes_on = False
        return self._batches(self._progress)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration have the order of this epoch.

        Args:
            epoch: its number, from 0.
        """
        check_count("epoch", epoch, 0, "the number of an epoch")
        self._progress, self._goes_on = Progress(epoch), False

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the data, with what the buffer holds: about as large as it."""
        return {
            "settings": self._settings(),
            "layout": {name: [w, str(dtype)] for name, (w, dtype) in self._source.layout.items()},
            "progress": self._progress.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on, to the bit, where `state_dict` was called.

        The model must be the same, and the data must give the same batches in the same order: a
        DataLoader without `shuffle`, or with a sampler that repeats its order.

        Args:
            state: what `state_dict` returned.

        Raises:
            ConfigurationError: the state is of a stream with other settings.
        """
        check_state(state, self._settings(), "an ActivationStream")
        progress = dict(state["progress"])
        if progress["buffer"] is not None:
            progress["buffer"] = RowBuffer.from_state(progress["buffer"], self._device)
        if progress["pending"] is not None:
            progress["pending"] = {n: x.to(self._device) for n, x in progress["pending"].items()}
        self._source.layout = {
            name: (width, getattr(torch, dtype.removeprefix("torch.")))
            for name, (width, dtype) in state["layout"].items()
        }
        self._progress, self._goes_on = Progress(**progress), True

    def store(
        self,
        folder: str | Path,
        *,
        dtype: torch.dtype | None = None,
        shard_rows: int | None = None,
    ) -> Path:
        """Write every row that counts once into shards of a folder, in the order of the data.

        The folder gets `index.json` and shards in the safetensors format, each written under
        another name first. A call that was interrupted is completed by calling again: the shards
        are to the bit those of a call that was not. `StoredActivations` reads the folder, and
        shuffles. Call it in one process only.

        Args:
            folder: a folder; made if there is none.
            dtype: a floating type for the rows; None: their own.
            shard_rows: rows in a shard; by default so many that it has about 64 MiB.

        Returns:
            The folder.

        Raises:
            ConfigurationError: a setting is invalid, safetensors is not installed, or the folder
                has activations of another model, site, type or setting.
            DataError: the data has no row that counts, an activation is not finite, or does not fit
                `dtype`.

        Example:
            >>> import regularizers as rz
            >>> import tempfile, torch
            >>> data = torch.randn(10, 8).split(4)
            >>> stream = rz.sae.activations(torch.nn.Linear(8, 3), "", data)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     stored = rz.sae.StoredActivations(stream.store(folder), batch_size=5)
            ...     [tuple(batch.shape) for batch in stored]
            [(5, 3), (5, 3)]
        """
        return write_store(self._source, Path(folder), dtype, shard_rows)

    def _settings(self) -> dict[str, Any]:
        return {
            "sites": list(self.sites),
            **{"batch_size": self.batch_size, "buffer": self._buffer, "seed": self.seed},
        }

    def _batches(self, at: Progress) -> Iterator[Batch]:
        is_last = False
        with closing(self._source.blocks(at.position)) as blocks:
            while not is_last:
                buffer = at.buffer
                if buffer is None or buffer.left == 0:
                    buffer = self._filled(at, blocks)
                block = buffer.draw(self.batch_size)
                is_last = at.ended and buffer.filled == 0
                if is_last and self._progress is at:
                    self._progress = Progress(at.epoch + 1)
                yield batch_of(block)

    def _filled(self, at: Progress, blocks: Iterator[Block]) -> RowBuffer:
        """Fill the buffer and shuffle it."""
        while not at.ended and (at.buffer is None or at.buffer.filled < at.buffer.capacity):
            block = at.pending
            if block is None:
                block = next(blocks, None)
                at.ended = block is None
                at.position += block is not None
            if block is not None:
                if self._device is not None:
                    block = {name: rows.to(self._device) for name, rows in block.items()}
                at.buffer = at.buffer or RowBuffer(self._capacity(block))
                at.pending = at.buffer.add(block)
        buffer = at.buffer
        if buffer is None or buffer.filled == 0:
            raise DataError(
                f"data: expected activations at {', '.join(self.sites)}, got no row that counts in "
                f"{at.position} batches; check the data, mask= and exclude_tokens="
            )
        if at.fills == 0:
            check_varies(buffer.block)
        half = max(1, buffer.filled // 2 // self.batch_size) * self.batch_size
        if self._buffer == 0:
            order = torch.arange(buffer.filled)
        else:
            numbers = (self.seed, at.epoch, at.fills)
            order = torch.randperm(buffer.filled, generator=generator_of(*numbers))
        buffer.begin_draws(order, buffer.filled if at.ended else half)
        at.fills += 1
        return buffer

    def _capacity(self, block: Block) -> int:
        """Return the rows of the buffer, at least two batches."""
        if self._buffer is not None:
            return max(self._buffer, 2 * self.batch_size)
        size = sum(rows.shape[1] * rows.element_size() for rows in block.values())
        return max(min(_ROWS, _BYTES // max(1, size)), 2 * self.batch_size)


def store(
    stream: ActivationStream,
    folder: str | Path,
    *,
    dtype: torch.dtype | None = None,
    shard_rows: int | None = None,
) -> Path:
    """Return `stream.store(folder, ...)`, which writes every row into shards of a folder.

    Args:
        stream: the stream, whose epoch stays as it is.
        folder: as for `ActivationStream.store`.
        dtype: likewise.
        shard_rows: likewise.

    Returns:
        The folder, for `StoredActivations`.

    Raises:
        ConfigurationError, DataError: as `ActivationStream.store`.

    Example:
        >>> import tempfile, torch
        >>> import regularizers as rz
        >>> stream = rz.sae.activations(torch.nn.Linear(8, 3), "", torch.randn(10, 8).split(4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = rz.sae.store(stream, folder, shard_rows=5)
        ...     len(list(path.glob("*.safetensors"))), rz.sae.StoredActivations(path).rows
        (2, 10)
    """
    return stream.store(folder, dtype=dtype, shard_rows=shard_rows)
