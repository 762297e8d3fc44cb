"""What an autoencoder encodes of each batch, and what it is to reconstruct."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.modules import describe
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._transcoder import Crosscoder, Transcoder
from regularizers.sae.evaluation._data import as_matrix, as_samples, batches_of, check_size


class Read(NamedTuple):
    """One batch as (samples, width), in the type and on the device of the autoencoder."""

    encoded: Any
    """What is encoded; of a crosscoder by site."""
    target: Tensor
    """What is to be reconstructed; of a crosscoder c·x, all sites side by side."""
    sites: dict[str, Tensor]
    """What is to be reconstructed at each site of a crosscoder."""


def read_targets(sae: SparseAutoencoder, data: Any, batch_size: int) -> Iterator[Read]:
    """Yield the batches of some data.

    Raises:
        ShapeError: there is no sample, or another number of features or outputs.
        ArrayTypeError: no batches of the kind that the autoencoder takes.
        ConfigurationError: an element is not finite, or the batch size is no number.
    """
    seen = 0
    for number, batch in enumerate(_batches(sae, data, batch_size)):
        read = _read(sae, batch, f"data: batch {number}")
        if len(read.target):
            seen += len(read.target)
            yield read
    if not seen:
        raise ShapeError(
            "data: expected samples, got none; an iterator gives its batches once: is it used up?"
        )


def _batches(sae: SparseAutoencoder, data: Any, batch_size: int) -> Iterable[Any]:
    """Yield batches as they come; what is whole in parts."""
    if isinstance(sae, Crosscoder) and isinstance(data, Mapping):
        check_size(batch_size)
        split = {site: torch.split(_tensor(x, site), batch_size) for site, x in data.items()}
        return [dict(zip(split, parts, strict=True)) for parts in _together(split)]
    if isinstance(sae, Transcoder) and isinstance(data, tuple) and len(data) == 2:
        check_size(batch_size)
        pair = {
            name: torch.split(_tensor(x, name), batch_size)
            for name, x in zip("xy", data, strict=True)
        }
        return _together(pair)
    if isinstance(sae, (Crosscoder, Transcoder)):
        if isinstance(data, (str, bytes, Tensor)) or not isinstance(data, Iterable):
            raise ArrayTypeError(f"data: expected {_expected(sae)}, got {describe(data)}")
        return data
    return batches_of(data, batch_size)


def _read(sae: SparseAutoencoder, batch: Any, name: str) -> Read:
    if isinstance(sae, Crosscoder):
        if not isinstance(batch, Mapping) or not set(sae.sites) <= set(batch):
            raise ArrayTypeError(f"{name}: expected {_expected(sae)}, got {describe(batch)}")
        sites = {
            site: as_matrix(batch[site], width, sae.site_scale, f"{name}: {site!r}", "features")
            for site, width in sae.sites.items()
        }
        _check_lengths(sites, name)
        return Read(sites, sae.scaled(sites), sites)
    if isinstance(sae, Transcoder):
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise ArrayTypeError(f"{name}: expected {_expected(sae)}, got {describe(batch)}")
        x = as_samples(sae, batch[0], f"{name}: x")
        y = as_matrix(batch[1], sae.outputs, x, f"{name}: y", "outputs")
        _check_lengths({"x": x, "y": y}, name)
        return Read(x, y, {})
    x = as_samples(sae, batch, name)
    return Read(x, x, {})


def _expected(sae: SparseAutoencoder) -> str:
    if isinstance(sae, Transcoder):
        return "batches that are pairs (x, y) of inputs and outputs, as for train"
    sites = ", ".join(map(repr, sae.sites)) if isinstance(sae, Crosscoder) else ""
    return f"mappings of the sites {sites} to tensors, as for train"


def _together(parts: Mapping[str, tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
    """Return the first parts of all, the second ones, and so on."""
    if len({len(some) for some in parts.values()}) > 1:
        _check_lengths({name: torch.cat(some) for name, some in parts.items()}, "data")
    return [*zip(*parts.values(), strict=True)]


def _check_lengths(tensors: Mapping[str, Tensor], name: str) -> None:
    """Raise unless all have as many samples."""
    lengths = {of: len(x) for of, x in tensors.items()}
    if len(set(lengths.values())) > 1:
        raise ShapeError(f"{name}: expected as many samples of each, got {lengths}")


def _tensor(x: object, name: str) -> Tensor:
    if not isinstance(x, Tensor) or not x.ndim:
        raise ArrayTypeError(f"data: {name!r}: expected a tensor of samples, got {describe(x)}")
    return x


def check_has_truth(sae: SparseAutoencoder) -> None:
    """Raise if what is encoded is not what is reconstructed, so that no dictionary is the truth.

    Raises:
        ConfigurationError: it is a transcoder or a crosscoder.
    """
    if isinstance(sae, (Crosscoder, Transcoder)):
        raise ConfigurationError(
            f"truth: expected a SparseAutoencoder, whose units are directions of the data, got a "
            f"{type(sae).__name__}"
        )
