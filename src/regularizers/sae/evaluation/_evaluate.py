"""How well an autoencoder reconstructs, and with how many units."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from regularizers._text import table
from regularizers.monitor.metrics import (
    CosineSimilarity,
    DensityHistogram,
    FractionOfVarianceUnexplained,
    Histogram,
    NormRatio,
    PairMetric,
    RelativeBias,
    Samples,
    Seen,
)
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._evaluation_mode import evaluation_mode
from regularizers.sae.evaluation._data import check_finite, matrices
from regularizers.sae.evaluation._errors import MeanExplainedVariance, MeanSquaredError
from regularizers.sae.evaluation._truth import Truth, compare_with_truth
from regularizers.sae.synthetic import Superposition


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What `evaluate` measured; printed as a table."""

    samples: int
    """How many samples were seen."""
    units: int
    """How many units the code has."""
    l0: float
    """Active units of a sample, on average."""
    explained_variance: float
    """1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over all samples, x̄ being the mean of all of them."""
    mean_explained_variance: float
    """The mean over samples of 1 − ‖x − x̂‖² / ‖x − x̄‖², x̄ being the mean of the sample's batch.

    It depends on the batches, and few samples near the mean may rule it. SAELens reports it as
    `explained_variance_legacy`."""
    mse: float
    """(x − x̂)², the mean over samples and features."""
    cosine: float
    """The cosine between x and x̂, on average."""
    norm_ratio: float
    """‖x̂‖ / ‖x‖, on average; below 1 reconstructions are shrunk."""
    relative_bias: float
    """Σ‖x̂‖² / Σ x·x̂; 1 if no rescaling of all reconstructions lowers the error."""
    dead: int
    """How many units were active on no sample."""
    density: Tensor
    """(units,), float64, on the CPU: the share of samples on which each unit is active."""
    histogram: Histogram
    """Units by log10 of their density."""
    truth: Truth | None = None
    """How the units compare with a known dictionary, if one was given."""

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name, for a log."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: x for name, x in values.items() if isinstance(x, (int, float))}

    def __str__(self) -> str:
        cells = [("measure", "value"), *[(n, f"{x:.4g}") for n, x in self.as_dict().items()]]
        tables = [table(cells, right=[1])]
        if self.truth is not None:
            tables.append(str(self.truth))
        return "\n\n".join(tables)

    __repr__ = __str__


def evaluate(
    sae: SparseAutoencoder,
    data: Tensor | Iterable[Any],
    *,
    batch_size: int = 4096,
    bins: int = 24,
    truth: Superposition | None = None,
) -> Evaluation:
    r"""Measure reconstructions and codes over all of some data, in constant memory.

    .. math:: EV = 1 - \frac{\sum_n \|x_n - \hat x_n\|_2^2}{\sum_n \|x_n - \bar x\|_2^2}

    The autoencoder is in evaluation mode meanwhile; each of its modules is in its own mode after.
    Sums are in float64. Only `mean_explained_variance` depends on how samples are batched.

    Args:
        sae: the autoencoder.
        data: activations of (..., features): a tensor, or an iterable of batches, such as a list, a
            stream or a DataLoader. Of batches that are tuples the first part is taken.
        batch_size: how many samples of a tensor are read at once; batches are read as they come.
        bins: of the histogram of densities.
        truth: the source of synthetic data, to compare with by `compare_with_truth`, on samples of
            its own.

    Returns:
        The measures, which print as a table.

    Raises:
        ArrayTypeError: the data are no tensor and no batches of real floating tensors.
        ShapeError: there is no sample, or another number of features than the autoencoder has.
        ConfigurationError: an activation or a reconstruction is not finite, or a number cannot be.

    Example:
        >>> import torch
        >>> from regularizers.sae import SparseAutoencoder
        >>> from regularizers.sae.evaluation import evaluate
        >>> sae = SparseAutoencoder(features=2, units=2, active=1, architecture="l1")
        >>> with torch.no_grad():
        ...     _ = sae.encoder.weight.copy_(0.5 * torch.eye(2))
        ...     _ = sae.decoder.weight.copy_(torch.eye(2))
        >>> evaluation = evaluate(sae, torch.tensor([[2.0, 0.0], [0.0, 0.0], [4.0, 0.0]]))
        >>> evaluation.density
        tensor([0.6667, 0.0000], dtype=torch.float64)
        >>> print(evaluation)
        measure                   value
        -----------------------  ------
        samples                       3
        units                         2
        l0                       0.6667
        explained_variance        0.375
        mean_explained_variance     0.5
        mse                      0.8333
        cosine                        1
        norm_ratio                  0.5
        relative_bias               0.5
        dead                          1

    Source: the definitions beside each field of `Evaluation`; relative bias from Rajamanoharan et
    al., "Improving dictionary learning with gated sparse autoencoders", 2024, arXiv:2404.16014.
    """
    seen, density = Seen(), DensityHistogram(bins)
    unexplained, cosine, ratio = FractionOfVarianceUnexplained(), CosineSimilarity(), NormRatio()
    bias, mse, mean = RelativeBias(), MeanSquaredError(), MeanExplainedVariance()
    pairs: list[PairMetric] = [unexplained, cosine, ratio, bias, mse, mean]
    with evaluation_mode(sae), torch.no_grad():
        for x in matrices(sae, data, batch_size):
            code = sae.encode(x)
            made = sae.decode(code)
            check_finite(made)
            target, reconstruction = Samples.of(x), Samples.of(made)
            for pair in pairs:
                pair.add(target, reconstruction)
            seen.add(target)
            density.update(code)
    densities = density.densities().cpu().double()
    return Evaluation(
        samples=seen.value(),
        units=len(densities),
        l0=densities.sum().item(),
        explained_variance=1 - unexplained.value(),
        mean_explained_variance=mean.value(),
        mse=mse.value(),
        cosine=cosine.value(),
        norm_ratio=ratio.value(),
        relative_bias=bias.value(),
        dead=int((densities == 0).sum()),
        density=densities,
        histogram=density.value(),
        truth=None if truth is None else compare_with_truth(sae, truth),
    )
