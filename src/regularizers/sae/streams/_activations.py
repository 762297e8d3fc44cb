"""The activations of any model, as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from regularizers.errors import ConfigurationError
from regularizers.modules import Select, Wheres, check_model
from regularizers.sae.streams._evaluation import Forward, run_on
from regularizers.sae.streams._sites import sites_of
from regularizers.sae.streams._source import ActivationSource
from regularizers.sae.streams._stream import ActivationStream
from regularizers.sae.streams._token_masks import BatchMask, TokenMask


def activations(
    model: nn.Module,
    where: Wheres,
    data: Iterable[Any],
    *,
    select: Select | None = None,
    mask: BatchMask | None = None,
    exclude_tokens: Sequence[int] = (),
    channel_axis: int | None = None,
    forward: Forward | None = None,
    buffer: int | None = None,
    batch_size: int = 4096,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> ActivationStream:
    """Return a stream of batches of the activations at modules of a model.

    Each forward runs in evaluation mode and without gradients; between them the model is as it was,
    module by module, whether the loop ends, breaks or raises. The rows are shuffled in a buffer: it
    is filled, shuffled, half of it is given, and it is filled again.

    Args:
        model: any module.
        where: the modules whose outputs are read, as in `activity`: a name, a glob, a type, a
            module, a predicate (module, name), or a list of these.
        data: batches for the model, such as a DataLoader or a list. It is iterated once for each
            epoch. A dictionary is run as `model(**batch)`, of a tuple or list the first item as
            `model(batch[0])`, anything else as `model(batch)`, on the device of the model. In
            each of several processes, data gives the batches of that process.
        select: the part of an output that is no tensor, as in `activity`.
        mask: a function of a batch of the data that returns a boolean tensor (batch, tokens): True
            where a token counts; None if all do. By default it is the `attention_mask` of a
            dictionary that has one.
        exclude_tokens: ids of tokens that do not count, such as special ones: of the `input_ids` of
            a dictionary, or of a batch that is itself made of ids.
        channel_axis: the axis of units; the others are positions, each of which is a sample. By
            default axis 1 of convolutions, their poolings and normalizations, and the last of other
            modules; an output with four axes or more of a module of another type asks for it.
        forward: a function (model, batch) that runs the model instead.
        buffer: rows that are shuffled together, two batches at least. By default 2^18, or as many
            as have 1 GiB; 0: the order of the data.
        batch_size: rows in a batch; the last one of an epoch may have fewer.
        seed: determines the order.
        device: where the buffer and the batches are; by default where the activations are.

    Shape:
        A batch is (batch_size, width). If `where` matches several modules, it is a dictionary by
        their names, and the same row of each is of the same token.

    Returns:
        A stream, which can be iterated, stored and resumed.

    Raises:
        SelectionError: `where` matches nothing.
        ConfigurationError: another setting is invalid, or the data cannot be iterated again.
        RegimeError: the model is in `nn.DataParallel`; while reading, it is under tensor
            parallelism, where an output may be a part of its units.
        OutputError: while reading, the output is no floating tensor, or its module did not run
            exactly once.
        ShapeError: while reading, sites have other positions than each other, or the mask does not
            fit.
        DataError: while reading, activations are constant, NaN or infinite, or there are none.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> data = [torch.randn(4, 5, 8) for _ in range(3)]  # (batch, tokens, width)
        >>> stream = rz.sae.activations(layer, "", data, batch_size=20)
        >>> [tuple(batch.shape) for batch in stream]
        [(20, 8), (20, 8), (20, 8)]
        >>> layer.training
        True
    """
    check_model(model, "activations", "whose rows arrive in no order")
    if forward is not None and not callable(forward):
        raise ConfigurationError(
            f"forward: expected a function (model, batch), got a {type(forward).__name__}"
        )
    source = ActivationSource(
        model,
        sites_of(model, where, select, channel_axis),
        data,
        TokenMask(mask, tuple(exclude_tokens)),
        forward or run_on,
    )
    return ActivationStream(source, batch_size, buffer, seed, device)
