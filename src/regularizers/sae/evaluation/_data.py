"""Activations to evaluate on: a tensor or batches, as matrices on the autoencoder's device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.modules import describe
from regularizers.sae._autoencoder import SparseAutoencoder


def batches_of(data: Tensor | Iterable[Any], batch_size: int) -> Iterator[Tensor]:
    """Yield the batches of some data; of a batch that is a tuple or a list, its first part.

    Raises:
        ConfigurationError: the batch size is no number, or the data are a name.
        ArrayTypeError: no tensor, and no iterable of tensors.
    """
    check_size(batch_size)
    if isinstance(data, Tensor):
        samples = math.prod(data.shape[1:-1])  # those of one index along axis 0
        yield from torch.split(data, max(batch_size // max(samples, 1), 1)) if data.ndim else [data]
        return
    if isinstance(data, (str, bytes)) or not isinstance(data, Iterable):
        raise ArrayTypeError(
            f"data: expected a tensor, or batches in a list, a DataLoader or another iterable, got "
            f"{type(data).__name__}"
        )
    for batch in data:
        yield batch[0] if isinstance(batch, (tuple, list)) and batch else batch


def check_size(batch_size: object) -> None:
    """Raise unless a batch size is a number."""
    if type(batch_size) is not int or batch_size < 1:
        raise ConfigurationError(f"batch_size: expected an integer, 1 or more, got {batch_size!r}")


def as_samples(sae: SparseAutoencoder, batch: object, name: str) -> Tensor:
    """Return a batch of (..., features) as (samples, features), as the autoencoder reads it."""
    return as_matrix(batch, sae.features, sae.encoder.weight, name, "features")


def as_matrix(batch: object, width: int, like: Tensor, name: str, what: str) -> Tensor:
    """Return a batch of (..., width) as (samples, width), in the type and on the device of another.

    Args:
        batch: the batch.
        width: the width that is expected.
        like: a tensor of the autoencoder.
        name: the subject of messages.
        what: what the autoencoder has so many of, in messages.

    Raises:
        ArrayTypeError: no tensor of a real floating type.
        ShapeError: another width, or no axis of samples.
        ConfigurationError: an element is not finite.
    """
    if not isinstance(batch, Tensor) or not batch.dtype.is_floating_point:
        raise ArrayTypeError(
            f"{name}: expected a tensor of a real floating type, got {describe(batch)}"
        )
    if batch.ndim < 2 or batch.shape[-1] != width:
        raise ShapeError(
            f"{name}: expected (samples, {width}), the autoencoder having {width} {what}, got "
            f"shape {tuple(batch.shape)}"
        )
    if not batch.isfinite().all():
        raise ConfigurationError(
            f"{name}: expected finite activations, got NaN or infinity; leave such samples out, "
            f"data[data.isfinite().all(-1)]"
        )
    return batch.detach().reshape(-1, width).to(like)


def check_finite(reconstruction: Tensor) -> None:
    """Raise unless what an autoencoder made of finite samples is finite."""
    if not reconstruction.isfinite().all():
        raise ConfigurationError(
            "sae: expected finite reconstructions of finite samples, got NaN or infinity; look at "
            "the autoencoder's weights, at its scale, and at the type that it computes in"
        )
