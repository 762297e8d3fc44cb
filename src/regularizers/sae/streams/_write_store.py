"""Writes the activations of a source into shards; an interrupted call is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from regularizers.errors import ConfigurationError, DataError
from regularizers.sae._safetensors import safetensors
from regularizers.sae.streams._files import (
    STORED,
    digest_of_file,
    digest_of_model,
    name_of_type,
    write_shard,
)
from regularizers.sae.streams._index import Shard, StoreIndex, read_index
from regularizers.sae.streams._rows import Block, check_varies, length_of, part_of
from regularizers.sae.streams._settings import check_count, check_dtype
from regularizers.sae.streams._source import ActivationSource

_SHARD_BYTES = 2**26


def write_store(
    source: ActivationSource, folder: Path, dtype: torch.dtype | None, shard_rows: int | None
) -> Path:
    """Write the shards that are missing in the folder, and return it."""
    safetensors(STORED)
    check_dtype(dtype)
    if shard_rows is not None:
        check_count("shard_rows", shard_rows, 1, "rows in a shard")
    settings = _settings(source, dtype, shard_rows)
    index = read_index(folder)
    if index is not None:
        _check_same(index.settings, settings, folder)
        if index.complete:
            return folder
    _write(source, folder, dtype, index, settings)
    return folder


def _write(
    source: ActivationSource,
    folder: Path,
    dtype: torch.dtype | None,
    index: StoreIndex | None,
    settings: dict[str, Any],
) -> None:
    held: list[Block] = []
    for position, start, block in _unwritten(source, index):
        stored = {name: _converted(rows, dtype, name) for name, rows in block.items()}
        index = _with_sites(index, stored, settings, folder)
        end = start
        while end < length_of(stored):
            room = index.shard_rows - sum(map(length_of, held))
            part = part_of(stored, end, end + room)
            end += length_of(part)
            held.append(part)
            if sum(map(length_of, held)) == index.shard_rows:
                is_whole = end == length_of(stored)
                index.position = position + is_whole
                index.rows_of_next = 0 if is_whole else end
                _add_shard(index, held, folder)
                held = []
        last = position + 1
    if index is None or not (held or index.shards):
        raise DataError("store: expected activations, got no row that counts in the data")
    if held:
        index.position, index.rows_of_next = last, 0
        _add_shard(index, held, folder)
    index.complete = True
    index.write(folder)


def _unwritten(
    source: ActivationSource, index: StoreIndex | None
) -> Iterator[tuple[int, int, Block]]:
    """Yield the number of each batch of data, how many of its rows are stored, and its rows."""
    position, start = (0, 0) if index is None else (index.position, index.rows_of_next)
    for number, block in enumerate(source.blocks(position), position):
        yield number, start, block
        start = 0


def _add_shard(index: StoreIndex, held: list[Block], folder: Path) -> None:
    """Write a shard, then the index that knows of it."""
    block = {name: torch.cat([part[name] for part in held]) for name in held[0]}
    if not index.shards:
        check_varies(block)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"shard-{len(index.shards):05d}.safetensors"
    write_shard(path, block)
    index.shards.append(Shard(path.name, length_of(block), digest_of_file(path)))
    index.write(folder)


def _with_sites(
    index: StoreIndex | None, block: Block, settings: dict[str, Any], folder: Path
) -> StoreIndex:
    """Return the index, a new one if there is none; raise if its rows are of another kind."""
    sites = {
        name: {"width": rows.shape[1], "dtype": name_of_type(rows.dtype)}
        for name, rows in block.items()
    }
    if index is None:
        size = sum(rows.shape[1] * rows.element_size() for rows in block.values())
        return StoreIndex(
            settings, sites, settings["shard_rows"] or max(1, _SHARD_BYTES // max(1, size))
        )
    _check_same(index.sites, sites, folder)
    return index


def _settings(
    source: ActivationSource, dtype: torch.dtype | None, shard_rows: int | None
) -> dict[str, Any]:
    site = source.sites[0]
    return {
        "model": digest_of_model(source.model),
        "sites": [site.name for site in source.sites],
        "dtype": None if dtype is None else name_of_type(dtype),
        "shard_rows": shard_rows,
        "select": "a function" if callable(site.select) else site.select,
        "channel_axis": site.channel_axis,
        "mask": None if source.mask.function is None else "a function",
        "exclude_tokens": list(source.mask.excluded),
    }


def _check_same(stored: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    for name, value in asked.items():
        if stored.get(name) != value:
            raise ConfigurationError(
                f"{folder}: {name}: expected {stored.get(name)!r}, with which the folder was "
                f"begun, got {value!r}; choose another folder"
            )


def _converted(rows: torch.Tensor, dtype: torch.dtype | None, site: str) -> torch.Tensor:
    if dtype is None or rows.dtype == dtype:
        return rows.cpu()
    converted = rows.to(dtype).cpu()
    if not converted.isfinite().all():
        raise DataError(
            f"{site}: an activation of {float(rows.abs().max()):.3g} does not fit {dtype}; store "
            f"torch.bfloat16 or torch.float32"
        )
    return converted
