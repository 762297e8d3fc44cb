"""How well an autoencoder reconstructs, and with how many units."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from regularizers._text import table
from regularizers.monitor.metrics import DensityHistogram, Histogram
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._evaluation_mode import evaluation_mode
from regularizers.sae.evaluation._reconstruction import Reconstruction
from regularizers.sae.evaluation._targets import check_has_truth, read_targets
from regularizers.sae.evaluation._truth import Truth, compare_with_truth
from regularizers.sae.synthetic import Superposition


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What `evaluate` measured; printed as a table.

    Attributes:
        samples: how many samples were seen.
        units: how many units the code has.
        l0: active units of a sample, on average.
        explained_variance: 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over all samples, x̄ being the mean of all
            of them.
        mean_explained_variance: the mean over samples of 1 − ‖x − x̂‖² / ‖x − x̄‖², x̄ being the
            mean of the sample's batch. It depends on the batches, and few samples near the mean may
            rule it. SAELens reports it as `explained_variance_legacy`.
        mse: (x − x̂)², the mean over samples and features.
        cosine: the cosine between x and x̂, on average.
        norm_ratio: ‖x̂‖ / ‖x‖, on average; below 1 reconstructions are shrunk.
        relative_bias: Σ‖x̂‖² / Σ x·x̂; 1 if no rescaling of all reconstructions lowers the error.
        dead: how many units were active on no sample.
        density: (units,), float64, on the CPU: the share of samples on which each unit is active.
        histogram (regularizers.monitor.Histogram): units by log10 of their density.
        truth (regularizers.sae.Truth | None): how the units compare with a known dictionary, if one
            was given.
        sites: of a crosscoder, the measures of each site by name; those above are of c·x, all sites
            side by side, where each has an equal part.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=2, active=1, architecture="l1")
        >>> with torch.no_grad():  # each unit reconstructs half of a feature
        ...     _ = sae.encoder.weight.copy_(0.5 * torch.eye(2))
        ...     _ = sae.decoder.weight.copy_(torch.eye(2))
        >>> evaluation = rz.sae.evaluate(sae, torch.tensor([[2.0, 0.0], [0.0, 0.0], [4.0, 0.0]]))
        >>> evaluation.norm_ratio, evaluation.dead
        (0.5, 1)
        >>> round(evaluation.l0, 4), round(evaluation.explained_variance, 4)
        (0.6667, 0.375)
        >>> evaluation.density.tolist()[1]
        0.0
    """

    samples: int
    units: int
    l0: float
    explained_variance: float
    mean_explained_variance: float
    mse: float
    cosine: float
    norm_ratio: float
    relative_bias: float
    dead: int
    density: Tensor
    histogram: Histogram
    truth: Truth | None = None
    sites: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name, for a log; those of a site as `"site/mse"`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        numbers = {name: x for name, x in values.items() if isinstance(x, (int, float))}
        of_sites = self.sites.items()
        return numbers | {f"{site}/{name}": x for site, of in of_sites for name, x in of.items()}

    def __str__(self) -> str:
        cells = [("measure", "value"), *[(n, f"{x:.4g}") for n, x in self.as_dict().items()]]
        tables = [table(cells, right=[1])]
        if self.truth is not None:
            tables.append(str(self.truth))
        return "\n\n".join(tables)

    __repr__ = __str__


def evaluate(
    sae: SparseAutoencoder,
    data: Tensor | Mapping[str, Tensor] | Iterable[Any],
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
            stream or a DataLoader. Of batches that are tuples the first part is taken. For a
            `Transcoder` pairs (x, y), and all is of y: batches of them, or one tuple. For a
            `Crosscoder` mappings of its sites to tensors: batches of them, or one.
        batch_size: how many samples of a tensor are read at once; batches are read as they come.
        bins: of the histogram of densities.
        truth: the source of synthetic data, to compare with by `compare_with_truth`, on samples of
            its own.

    Returns:
        The measures, which print as a table.

    Raises:
        ArrayTypeError: the data are no tensor and no batches of real floating tensors.
        ShapeError: there is no sample, another number of features than the autoencoder has, or of
            samples at different sites.
        ConfigurationError: an activation or a reconstruction is not finite, or a number cannot be.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=2, units=2, active=1, architecture="l1")
        >>> with torch.no_grad():
        ...     _ = sae.encoder.weight.copy_(0.5 * torch.eye(2))
        ...     _ = sae.decoder.weight.copy_(torch.eye(2))
        >>> evaluation = rz.sae.evaluate(sae, torch.tensor([[2.0, 0.0], [0.0, 0.0], [4.0, 0.0]]))
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
    al., "Improving dictionary learning with gated sparse autoencoders", 2024,
    `arXiv:2404.16014 <https://arxiv.org/abs/2404.16014>`__.
    """
    if truth is not None:
        check_has_truth(sae)
    density, whole = DensityHistogram(bins), Reconstruction()
    of_sites = {site: Reconstruction() for site in getattr(sae, "sites", ())}
    with evaluation_mode(sae), torch.no_grad():
        for read in read_targets(sae, data, batch_size):
            code = sae.encode(read.encoded)
            made = sae.decode(code)
            for site, reconstruction in of_sites.items():
                reconstruction.add(read.sites[site], made[site])
            whole.add(read.target, sae.scaled(made) if of_sites else made)
            density.update(code)
    densities = density.densities().cpu().double()
    return Evaluation(
        samples=whole.samples,
        units=len(densities),
        l0=densities.sum().item(),
        **whole.values(),
        dead=int((densities == 0).sum()),
        density=densities,
        histogram=density.value(),
        truth=None if truth is None else compare_with_truth(sae, truth),
        sites={site: one.values() for site, one in of_sites.items()},
    )
