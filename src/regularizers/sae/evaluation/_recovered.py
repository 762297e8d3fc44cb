"""How much of a model's loss its reconstructed activations keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from regularizers._text import table
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.modules import Mask, Select, Where, describe
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._evaluation_mode import evaluation_mode
from regularizers.sae.evaluation._substituted import Edit, Place, edited, reconstruct, site_of

Loss = Callable[[nn.Module, Any], Tensor]


@dataclasses.dataclass(frozen=True, repr=False)
class Recovered:
    """What `cross_entropy_recovered` measured; printed as a table.

    Attributes:
        loss: CE, the loss of the model as it is.
        reconstructed: CE_sae, with the reconstruction in the place of the activation.
        mean_ablated: the loss with the mean of the activation over all data in its place.
        zero_ablated: the loss with zeros in its place.
        recovered_from_mean: (CE₀ − CE_sae) / (CE₀ − CE), CE₀ being of the mean; NaN if that costs
            nothing.
        recovered_from_zero: the same, CE₀ being of zeros.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Identity())
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=4, active=2, architecture="l1")
        >>> def loss(model, batch):
        ...     x, y = batch
        ...     return torch.nn.functional.cross_entropy(model(x), y, reduction="none")
        >>> data = [(torch.randn(8, 2), torch.randint(2, (8,)))]
        >>> found = rz.sae.cross_entropy_recovered(model, "0", sae, data, loss)
        >>> cost = found.mean_ablated - found.loss
        >>> share = (found.mean_ablated - found.reconstructed) / cost
        >>> share == found.recovered_from_mean
        True
    """

    loss: float
    reconstructed: float
    mean_ablated: float
    zero_ablated: float
    recovered_from_mean: float
    recovered_from_zero: float

    def __str__(self) -> str:
        values = dataclasses.asdict(self).items()
        cells = [("measure", "value"), *[(name, f"{x:.4g}") for name, x in values]]
        return table(cells, right=[1])

    __repr__ = __str__


def cross_entropy_recovered(
    model: nn.Module,
    where: Where,
    sae: SparseAutoencoder,
    data: Iterable[Any],
    loss: Loss,
    select: Select | None = None,
    *,
    axis: int = -1,
    mask: Mask | None = None,
) -> Recovered:
    r"""Measure how much of the loss that an ablation costs a reconstruction saves.

    .. math:: \frac{CE_0 - CE_{sae}}{CE_0 - CE}

    1: the reconstruction is as good as the activation; 0: no better than its ablation. Two
    ablations are measured: the mean of the activation over all data, and zeros, which flatter where
    activations have a large mean. Model and autoencoder are in evaluation mode meanwhile, without
    gradients, and as before after it, also after an error.

    Args:
        model: the model.
        where: one module, as in `substituted`.
        sae: the autoencoder of that module's outputs.
        data: batches for `loss`, which are gone through twice.
        loss: a function `(model, batch)`. It returns a tensor of one loss for each token or sample,
            whatever its shape; their mean over all data is exact. Or a number, the mean loss of the
            batch: then batches weigh by their samples, axis 0 of the first tensor in them.
        select: as in `substituted`.
        axis: as in `substituted`.
        mask: as in `substituted`; the mean is then of what it leaves in.

    Returns:
        The losses and the shares recovered, which print as a table.

    Raises:
        SelectionError, OutputError, ShapeError: as `substituted`; or there is no batch.
        ConfigurationError: the data can be gone through once only, or are others the second time.
        ArrayTypeError: the loss is no real floating tensor.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Identity())
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=4, active=2, architecture="l1")
        >>> with torch.no_grad():  # exact: two units for each feature, one of each sign
        ...     _ = sae.encoder.weight.copy_(torch.cat([torch.eye(2), -torch.eye(2)]))
        ...     _ = sae.decoder.weight.copy_(sae.encoder.weight.mT)
        >>> def loss(model, batch):
        ...     x, y = batch
        ...     return torch.nn.functional.cross_entropy(model(x), y, reduction="none")
        >>> data = [(torch.randn(8, 2), torch.randint(2, (8,)))]
        >>> recovered = rz.sae.cross_entropy_recovered(model, "0", sae, data, loss)
        >>> round(recovered.recovered_from_mean, 4), round(recovered.recovered_from_zero, 4)
        (1.0, 1.0)

    Source: Bricken et al., "Towards monosemanticity", 2023, for zero ablation; Gao et al., "Scaling
    and evaluating sparse autoencoders", 2024,
    `arXiv:2406.04093 <https://arxiv.org/abs/2406.04093>`__, section 4, on what it hides.
    """
    if not isinstance(data, Iterable) or isinstance(data, Iterator):
        raise ConfigurationError(
            f"data: expected batches that can be gone through twice, such as a list or a "
            f"DataLoader, got {type(data).__name__}; wrap an iterator in list(...)"
        )
    caller = "cross_entropy_recovered"
    place = Place(site_of(model, where, caller), sae.features, select, axis, mask, caller)
    mean = _Mean(sae.features)

    def run(edits: Mapping[str, Edit]) -> dict[str, _Average]:
        totals = {name: _Average() for name in edits}
        for batch in data:
            for name, edit in edits.items():
                with edited(place, edit):
                    totals[name].add(loss(model, batch), batch)
        return totals

    with evaluation_mode(model, sae), torch.no_grad():
        first = run({"read": mean.read})["read"]
        if not first.weight:
            raise ShapeError("data: expected batches, got none")
        found = run({"sae": reconstruct(sae), "mean": mean.fill, "zero": torch.zeros_like})
    if any(average.weight != first.weight for average in found.values()):
        raise ConfigurationError(
            f"data: expected the same samples each time, got losses of {first.weight:g} and then "
            f"of {found['sae'].weight:g}; use a loader that drops no batch"
        )
    made, zero, average = (found[name].value for name in ("sae", "zero", "mean"))
    return Recovered(
        loss=first.value,
        reconstructed=made,
        mean_ablated=average,
        zero_ablated=zero,
        recovered_from_mean=_share(average, made, first.value),
        recovered_from_zero=_share(zero, made, first.value),
    )


def _share(ablated: float, reconstructed: float, loss: float) -> float:
    cost = ablated - loss
    return (ablated - reconstructed) / cost if cost else float("nan")


class _Mean:
    """The mean of the samples that it reads, in float64, to be put in their place."""

    def __init__(self, features: int) -> None:
        self._total = torch.zeros(features, dtype=torch.float64)
        self._number = 0

    def read(self, x: Tensor) -> Tensor:
        """Count samples, and leave them."""
        self._total += x.to("cpu", torch.float64).sum(dim=0)
        self._number += len(x)
        return x

    def fill(self, x: Tensor) -> Tensor:
        """Return the mean in the place of each sample."""
        return (self._total / max(self._number, 1)).to(x).expand_as(x).clone()


class _Average:
    """The mean of losses over batches."""

    def __init__(self) -> None:
        self._total, self.weight = 0.0, 0

    @property
    def value(self) -> float:
        return self._total / self.weight

    def add(self, losses: object, batch: Any) -> None:
        """Count the losses of a batch: each of them, or one number for all of its samples."""
        if not isinstance(losses, Tensor) or not losses.dtype.is_floating_point:
            raise ArrayTypeError(
                f"loss: expected a function (model, batch) that returns a real floating tensor, "
                f"got {describe(losses)}"
            )
        weight = losses.numel() if losses.ndim else _samples(batch)
        self._total += losses.to("cpu", torch.float64).mean().item() * weight if weight else 0.0
        self.weight += weight


def _samples(batch: Any) -> int:
    """Return the size of axis 0 of the first tensor in a batch; 1 where there is none."""
    return next((len(x) for x in _tensors(batch) if x.ndim), 1)


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from _tensors(part)
    elif isinstance(batch, (tuple, list)):
        for part in batch:
            yield from _tensors(part)
