"""The samples on which each unit is most active."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._evaluation_mode import evaluation_mode
from regularizers.sae.evaluation._contexts import Context, check_tokens, context
from regularizers.sae.evaluation._data import as_samples, batches_of


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TopSamples:
    """What `top_samples` found: a row for each unit, its most active sample first.

    Attributes:
        units: (units,), int64: which units.
        values: (units, count), on the CPU: how active they are; 0 where a unit fired on fewer
            samples.
        indices: (units, count), int64: which sample, along axis 0 of the data; -1 where there is
            none.
        positions: (units, count), int64: the place along further axes of the data, such as tokens;
            None where it has none.
        contexts (tuple | None): for each unit a tuple of a `Context` for each sample, the tokens
            around it; None without tokens.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=2, active=1, architecture="l1")
        >>> with torch.no_grad():
        ...     _ = sae.encoder.weight.copy_(torch.eye(2))
        >>> x = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
        >>> top = rz.sae.top_samples(sae, x, count=2)
        >>> top.values[0].tolist(), top.indices[0].tolist()  # unit 0: its two most active samples
        ([3.0, 1.0], [1, 0])
        >>> top.indices[1].tolist()  # unit 1 is silent
        [-1, -1]
    """

    units: Tensor
    values: Tensor
    indices: Tensor
    positions: Tensor | None
    contexts: tuple[tuple[Context, ...], ...] | None

    def __str__(self) -> str:
        lines = []
        for row, unit in enumerate(self.units.tolist()):
            lines.append(f"unit {unit}")
            lines += [f"  {one}" for one in self._row(row)] or ["  silent"]
        return "\n".join(lines)

    __repr__ = __str__

    def _row(self, row: int) -> list[str]:
        if self.contexts is not None:
            return [str(one) for one in self.contexts[row]]
        pairs = zip(self.values[row].tolist(), self.indices[row].tolist(), strict=True)
        return [f"{value:.4g}  sample {index}" for value, index in pairs if index >= 0]


def top_samples(
    sae: SparseAutoencoder,
    data: Tensor | Iterable[Any],
    units: Sequence[int] | Tensor | None = None,
    count: int = 10,
    *,
    tokens: Tensor | Sequence[Sequence[Any]] | None = None,
    around: int = 8,
    batch_size: int = 4096,
) -> TopSamples:
    """Find the samples on which each unit is most active, in constant memory.

    The autoencoder is in evaluation mode meanwhile. Samples on which a unit is silent are not
    listed. Of samples on which it is equally active any may be.

    Args:
        sae: the autoencoder.
        data: activations of (..., features), as in `evaluate`; of text (sequences, tokens,
            features).
        units: which units; all by default.
        count: how many samples of each.
        tokens: of text, the tokens of each sequence, as ids or as strings: `tokens[sequence]` has
            one for each activation.
        around: how many tokens of context on each side.
        batch_size: as in `evaluate`.

    Returns:
        Values and indices of the samples; of text with tokens a `Context` of each.

    Raises:
        ArrayTypeError, ShapeError, ConfigurationError: as `evaluate`; units that there are not; or
            tokens that do not belong to the data.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=2, active=1, architecture="l1")
        >>> with torch.no_grad():
        ...     _ = sae.encoder.weight.copy_(torch.eye(2))
        >>> text = [["a", " cat", " sat"], ["the", " dog", " ran"]]
        >>> x = torch.tensor([[[0.0, 0], [2, 0], [0, 0]], [[0, 0], [1, 0], [0, 0]]])
        >>> print(rz.sae.top_samples(sae, x, count=2, tokens=text))
        unit 0
          2  a« cat» sat
          1  the« dog» ran
        unit 1
          silent
    """
    chosen = _chosen(units, sae.units)
    for name, number, least in (("count", count, 1), ("around", around, 0)):
        if type(number) is not int or number < least:
            raise ConfigurationError(
                f"{name}: expected an integer, {least} or more, got {number!r}"
            )
    best = _Best(len(chosen), count)
    sequences, shape = 0, None
    with evaluation_mode(sae), torch.no_grad():
        for number, batch in enumerate(batches_of(data, batch_size)):
            x = as_samples(sae, batch, f"data: batch {number}")
            if len(x):
                shape = batch.shape[1:-1]
                code = sae.encode(x)[:, chosen.to(x.device)]
                best.add(code.cpu(), sequences, len(x) // len(batch))
            sequences += len(batch)
    if shape is None:
        raise ShapeError("data: expected samples, got none; is it an iterator that is used up?")
    fires = best.values > 0
    indices = torch.where(fires, best.indices, -1)
    positions = torch.where(fires, best.positions, -1) if shape else None
    contexts = None
    if tokens is not None:
        if positions is None:
            raise ShapeError(
                "tokens: expected data of (sequences, tokens, features), got (samples, features)"
            )
        check_tokens(tokens, sequences)
        rows = zip(indices.tolist(), positions.tolist(), best.values.tolist(), strict=True)
        contexts = tuple(
            tuple(context(tokens, *one, around) for one in zip(*row, strict=True) if one[0] >= 0)
            for row in rows
        )
    values = best.values.where(fires, 0.0)
    return TopSamples(chosen, values, indices, positions, contexts)


class _Best:
    """The largest values so far of each unit, with where they were."""

    def __init__(self, units: int, count: int) -> None:
        self._count = count
        self.values = torch.zeros(units, 0)
        self.indices = torch.zeros(units, 0, dtype=torch.int64)
        self.positions = torch.zeros(units, 0, dtype=torch.int64)

    def add(self, code: Tensor, first: int, each: int) -> None:
        """Count (samples, units), of which `each` belong to one index from `first` on."""
        values, rows = code.topk(min(self._count, len(code)), dim=0)
        indices = first + rows.div(each, rounding_mode="floor")
        joined = torch.cat([self.values.to(values), values.mT], dim=1)
        kept = joined.topk(min(self._count, joined.shape[1]), dim=1)
        self.values = kept.values
        self.indices = torch.cat([self.indices, indices.mT], dim=1).gather(1, kept.indices)
        self.positions = torch.cat([self.positions, rows.mT % each], dim=1).gather(1, kept.indices)


def _chosen(units: Sequence[int] | Tensor | None, number: int) -> Tensor:
    if units is None:
        return torch.arange(number)
    chosen = torch.as_tensor(units)
    if chosen.ndim != 1 or chosen.is_floating_point() or chosen.dtype == torch.bool:
        raise ConfigurationError(
            f"units: expected a list of integers, got {units!r}; a mask gives mask.nonzero()[:, 0]"
        )
    if not ((chosen >= 0) & (chosen < number)).all():
        raise ConfigurationError(f"units: expected numbers from 0 to {number - 1}, got {units!r}")
    return chosen.long().cpu()
