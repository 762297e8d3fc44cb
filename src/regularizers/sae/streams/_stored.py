"""Reads stored activations in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from regularizers.errors import ConfigurationError, DataError
from regularizers.sae._safetensors import safetensors
from regularizers.sae.streams._files import STORED
from regularizers.sae.streams._index import NAME, StoreIndex, read_index
from regularizers.sae.streams._open_shards import OpenShards
from regularizers.sae.streams._prefetch import ahead
from regularizers.sae.streams._row_order import RowOrder
from regularizers.sae.streams._rows import Batch, batch_of
from regularizers.sae.streams._settings import check_count, check_dtype, check_seed, check_state


class StoredActivations:
    """Batches of activations from a folder that `stream.store(folder)` wrote.

    Shards are mapped into memory and read where a batch has its rows, so that memory does not grow
    with the store. Shards come in a random order, in groups of `window` rows, and the rows of a
    group are shuffled together. Each iteration is an epoch, in which every row is given once.

    Several processes divide each batch of `ranks * batch_size` rows among them: together they
    get what one process gets with batches of that size, and each gets as many batches.

    Args:
        folder: the folder.
        batch_size: rows in a batch, of one process; the last of an epoch may have fewer, or up to
            `ranks - 1` more in all processes together.
        part: the first row to read and the one after the last, as they were stored: to hold some
            out. None: all of them.
        shuffle: False: the rows come in the order in which they were stored.
        seed: determines the order; the same in all processes.
        window: rows that are shuffled together, of whole shards, one at least. It costs 16 bytes a
            row.
        workers: threads that read batches ahead, two batches each; the order stays the same.
        rank: the number of this process; by default that of `torch.distributed`, if it is
            initialised.
        ranks: how many processes there are; given with `rank`.
        dtype: the type of the batches; None: as stored.
        verify: whether the digest of a shard is compared when it is first opened; with several
            processes each verifies its share.

    Shape:
        A batch is (batch_size, width), and of several sites a dictionary by their names.

    Raises:
        DataError: the folder has no complete store, or a file is not what its index says.
        ConfigurationError: a setting is invalid, or safetensors is not installed.

    Example:
        >>> import regularizers as rz
        >>> import tempfile, torch
        >>> stream = rz.sae.activations(torch.nn.Linear(8, 3), "", torch.randn(10, 8).split(4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stored = rz.sae.StoredActivations(stream.store(folder), batch_size=4)
        ...     print(len(stored), stored.rows, stored.widths)
        ...     [tuple(batch.shape) for batch in stored]
        3 10 {'model': 3}
        [(4, 3), (4, 3), (2, 3)]
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch_size: int = 4096,
        part: tuple[int, int] | None = None,
        shuffle: bool = True,
        seed: int = 0,
        window: int = 2**18,
        workers: int = 0,
        rank: int | None = None,
        ranks: int | None = None,
        dtype: torch.dtype | None = None,
        verify: bool = True,
    ) -> None:
        safetensors(STORED)
        check_count("batch_size", batch_size, 1, "rows in a batch")
        check_count("window", window, 1, "rows that are shuffled together")
        check_count("workers", workers, 0, "threads that read ahead")
        check_seed(seed)
        check_dtype(dtype)
        self.folder = Path(folder)
        self.batch_size, self.seed, self.shuffle = batch_size, seed, bool(shuffle)
        self.rank, self.ranks = _rank_of(rank, ranks)
        self._window, self._workers, self._dtype = window, workers, dtype
        self._index = _complete_index(self.folder)
        self._part = _checked_part(part, self._index.rows)
        self._slices = _slices([shard.rows for shard in self._index.shards], *self._part)
        if self.rows < self.ranks:
            raise DataError(
                f"{self.folder}: expected a row for each of {self.ranks} processes, got {self.rows}"
            )
        mine = self._slices[self.rank :: self.ranks] if verify else []
        verified = [one.shard for one in mine]
        self._shards = OpenShards(self.folder, self._index, verified)
        self._epoch, self._position, self._goes_on = 0, 0, False

    @property
    def rows(self) -> int:
        """The number of rows that are read, for all processes together."""
        first, end = self._part
        return end - first

    @property
    def sites(self) -> tuple[str, ...]:
        """The names of the sites."""
        return tuple(self._index.sites)

    @property
    def widths(self) -> dict[str, int]:
        """The width of the rows of each site."""
        return {name: site["width"] for name, site in self._index.sites.items()}

    def __len__(self) -> int:
        """Return the number of batches of an epoch, which is the same in each process."""
        whole, rest = divmod(self.rows, self._rows_together)
        return max(1, whole + (rest >= self.ranks))

    def __iter__(self) -> Iterator[Batch]:
        """Begin the epoch, or go on after `load_state_dict`."""
        if not self._goes_on:
            self._position = 0
        self._goes_on = False
        return self._batches(self._epoch, self._position)

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration have the order of this epoch.

        Args:
            epoch: its number, from 0.
        """
        check_count("epoch", epoch, 0, "the number of an epoch")
        self._epoch, self._position, self._goes_on = epoch, 0, False

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the number of its batches that were given: alike in each process."""
        return {"settings": self._settings(), "epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on, to the bit, where `state_dict` was called.

        Args:
            state: what `state_dict` returned.

        Raises:
            ConfigurationError: the state is of another store or of other settings. The number of
                processes may be another if `ranks * batch_size` is the same.
        """
        check_state(state, self._settings(), "StoredActivations")
        self._epoch, self._position = state["epoch"], state["position"]
        self._goes_on = True

    def _settings(self) -> dict[str, Any]:
        return {
            "ranks * batch_size": self._rows_together,
            **{"seed": self.seed, "shuffle": self.shuffle, "window": self._window},
            "store": self._index.digest,
            "part": list(self._part),
        }

    @property
    def _rows_together(self) -> int:
        return self.ranks * self.batch_size

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        lengths = [one.rows for one in self._slices]
        order = RowOrder(lengths, self._window, (self.seed, epoch) if self.shuffle else None)
        numbers = range(start, len(self))
        with closing(ahead(partial(self._batch, order), numbers, self._workers)) as batches:
            for number, batch in zip(numbers, batches, strict=True):
                is_last = number == len(self) - 1
                self._epoch, self._position = (epoch + 1, 0) if is_last else (epoch, number + 1)
                yield batch

    def _batch(self, order: RowOrder, number: int) -> Batch:
        """Return this process's part of a batch of all processes."""
        first = number * self._rows_together
        last = self.rows if number == len(self) - 1 else first + self._rows_together
        start = first + (last - first) * self.rank // self.ranks
        end = first + (last - first) * (self.rank + 1) // self.ranks
        made = {
            name: torch.empty(end - start, site["width"], dtype=getattr(torch, site["dtype"]))
            for name, site in self._index.sites.items()
        }
        for piece in order.pieces(start, end):
            within = self._slices[piece.shard]
            shard = self._shards.get(within.shard, keep=2 * order.largest)
            for name, rows in made.items():
                rows[piece.places] = shard[name][within.first + piece.rows]
        return batch_of({name: rows.to(self._dtype or rows.dtype) for name, rows in made.items()})


class _Slice(NamedTuple):
    """The rows of one shard that are read."""

    shard: int
    first: int
    rows: int


def _slices(lengths: Sequence[int], first: int, end: int) -> list[_Slice]:
    """Return what of each shard lies in a part of the store; shards without any are left out."""
    slices, start = [], 0
    for shard, length in enumerate(lengths):
        low, high = max(first, start), min(end, start + length)
        if low < high:
            slices.append(_Slice(shard, low - start, high - low))
        start += length
    return slices


def _checked_part(part: tuple[int, int] | None, rows: int) -> tuple[int, int]:
    first, end = (0, rows) if part is None else part
    if not 0 <= first < end <= rows:
        raise ConfigurationError(
            f"part: expected the first row and the one after the last, from 0 to {rows}, got "
            f"{part!r}"
        )
    return first, end


def _complete_index(folder: Path) -> StoreIndex:
    index = read_index(folder)
    if index is None:
        raise DataError(
            f"{folder}: expected a folder of stored activations, with an {NAME}; write one with "
            f"activations(model, where, data).store(folder)"
        )
    if not index.complete:
        raise DataError(
            f"{folder}: the store is half-written, complete: false, with {index.rows} rows so far; "
            f"call store(folder) again to complete it"
        )
    return index


def _rank_of(rank: int | None, ranks: int | None) -> tuple[int, int]:
    if (rank is None) != (ranks is None):
        raise ConfigurationError(
            f"rank and ranks: expected both or neither, got rank={rank!r} and ranks={ranks!r}"
        )
    if rank is None or ranks is None:
        ready = dist.is_available() and dist.is_initialized()
        return (dist.get_rank(), dist.get_world_size()) if ready else (0, 1)
    check_count("ranks", ranks, 1, "the number of processes")
    check_count("rank", rank, 0, "the number of this process")
    if rank >= ranks:
        raise ConfigurationError(f"rank: expected a number below ranks={ranks}, got {rank}")
    return rank, ranks
