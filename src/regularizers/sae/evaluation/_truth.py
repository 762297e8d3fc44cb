"""How units compare with the features of a known dictionary."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers._text import table
from regularizers.errors import ConfigurationError, ShapeError
from regularizers.monitor.metrics import (
    ActiveUnits,
    DensityHistogram,
    FractionOfVarianceUnexplained,
    recovery,
)
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._evaluation_mode import evaluation_mode
from regularizers.sae.evaluation._data import as_samples, check_finite
from regularizers.sae.evaluation._firing_of_units import FiringOfUnits
from regularizers.sae.synthetic import Superposition


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Truth:
    """What `compare_with_truth` found; printed as a table.

    Attributes:
        samples: how many samples were made.
        true_l0: active features of a sample, on average.
        l0: active units of a sample, on average.
        explained_variance: 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over all samples.
        mcc: the mean over true features of the absolute cosine with the unit matched to each; 0
            where none is.
        recovered: the share of true features whose absolute cosine with their unit exceeds the
            threshold.
        precision: the share of firings of matched units that are true; pooled over units.
        recall: the share of firings of all true features that are found; pooled over features.
        f1: 2 · both / (found + true), pooled over features, so that frequent ones weigh more; the
            one to report.
        mean_f1: the mean over true features of the F1 of each; rare ones weigh as much.
        dead: how many units were active on no sample, whether matched or surplus.
        surplus: how many units are matched to no feature, which are left where there are more units
            than features.
        surplus_dead: how many surplus units were active on no sample.
        surplus_l0: active surplus units of a sample, on average; they count in `l0`, not in
            precision.
        matching: (features,), int64: the unit matched to each feature; -1 where there was none
            left.
        cosines: (features,), float64: the absolute cosine of each feature with its unit; 0 where
            there is none.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> problem = rz.sae.superposition(features=4, dimensions=4, active=1.0)
        >>> sae = rz.sae.SparseAutoencoder(features=4, units=6, active=1, architecture="l1")
        >>> with torch.no_grad():  # three units know a feature, three are silent
        ...     sae.encoder.weight.zero_()[:3] = problem.dictionary[:3]
        ...     sae.decoder.weight.zero_()[:, :3] = problem.dictionary[:3].mT
        ...     _ = sae.encoder.bias.fill_(-0.01)
        >>> truth = rz.sae.compare_with_truth(sae, problem, samples=1000)
        >>> truth.recovered, truth.dead, truth.surplus
        (0.75, 3, 2)
        >>> truth.matching.tolist()[:3]
        [0, 1, 2]
    """

    samples: int
    true_l0: float
    l0: float
    explained_variance: float
    mcc: float
    recovered: float
    precision: float
    recall: float
    f1: float
    mean_f1: float
    dead: int
    surplus: int
    surplus_dead: int
    surplus_l0: float
    matching: Tensor
    cosines: Tensor

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name, for a log."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: x for name, x in values.items() if isinstance(x, (int, float))}

    def __str__(self) -> str:
        cells = [("against the truth", "value")]
        cells += [(name, f"{x:.4g}") for name, x in self.as_dict().items()]
        return table(cells, right=[1])

    __repr__ = __str__


def compare_with_truth(
    sae: SparseAutoencoder,
    superposition: Superposition,
    samples: int = 100_000,
    *,
    threshold: float = 0.9,
    batch_size: int = 4096,
    seed: int = 0,
) -> Truth:
    r"""Compare units with the features of a known dictionary, on new samples.

    .. math:: MCC = \frac1F \max_\pi \sum_{i=1}^F |\cos(d_i, w_{\pi(i)})|, \qquad
        F_1 = \frac{2 \sum_i B_i}{\sum_i (T_i + U_i)}

    π matches each feature to a unit of its own by their directions, as `monitor.recovery` does. Of
    feature i, T counts the samples on which it fires, U those on which its unit does, and B those
    of both. A feature that is left without a unit has U = B = 0. Units that are left without a
    feature are surplus, and their firings count in no F1.

    Args:
        sae: the autoencoder; in evaluation mode meanwhile.
        superposition: the source of the data, with the true dictionary.
        samples: how many samples are made.
        threshold: a feature is recovered if its absolute cosine exceeds it.
        batch_size: how many samples are made at once.
        seed: with `batch_size` it says which samples are made. They are in no stream of
            `Superposition.batches`.

    Returns:
        The measures, which print as a table.

    Raises:
        ShapeError: the source has other dimensions than the autoencoder has features.
        ConfigurationError: a number cannot be, weights are not finite, or SciPy is missing, which
            the extra `recipes` brings: `pip install "regularizers[recipes]"`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> problem = rz.sae.superposition(features=4, dimensions=4, active=1.0)
        >>> sae = rz.sae.SparseAutoencoder(features=4, units=6, active=1, architecture="l1")
        >>> with torch.no_grad():  # four units know the features, two are silent
        ...     sae.encoder.weight.zero_()[:4] = problem.dictionary
        ...     sae.decoder.weight[:, :4] = problem.dictionary.mT
        ...     _ = sae.encoder.bias.fill_(-0.01)
        >>> truth = rz.sae.compare_with_truth(sae, problem, samples=1000)
        >>> truth.recovered, truth.f1 > 0.99, truth.surplus, truth.surplus_dead
        (1.0, True, 2, 2)

    Source: Song et al., "Mechanistic interpretability should prioritize feature consistency in
    SAEs", 2025, `arXiv:2505.20254 <https://arxiv.org/abs/2505.20254>`__, for the MCC.
    """
    _check(sae, superposition, samples, batch_size)
    found = sae.decoder.weight.detach().cpu()
    match = recovery(superposition.dictionary.mT, found, threshold=threshold)
    is_surplus = torch.ones(sae.units, dtype=torch.bool)
    is_surplus[match.matching[match.matching >= 0]] = False
    firing, true_l0, density = FiringOfUnits(), ActiveUnits(), DensityHistogram()
    unexplained = FractionOfVarianceUnexplained()
    generator = torch.Generator().manual_seed(seed)
    with evaluation_mode(sae), torch.no_grad():
        for start in range(0, samples, batch_size):
            drawn = superposition.sample(min(batch_size, samples - start), generator)
            x = as_samples(sae, drawn.x, "superposition")
            code = sae.encode(x)
            made = sae.decode(code)
            check_finite(made)
            unexplained.update(x, made)
            density.update(code)
            true_l0.update(drawn.coefficients)
            firing.update(drawn.coefficients, _matched(code.cpu(), match.matching))
    densities = density.densities().cpu().double()
    numbers = firing.as_dict()
    return Truth(
        samples=samples,
        true_l0=true_l0.value(),
        l0=densities.sum().item(),
        explained_variance=1 - unexplained.value(),
        mcc=match.mean,
        recovered=match.share,
        precision=numbers["precision"],
        recall=numbers["recall"],
        f1=numbers["f1"],
        mean_f1=numbers["mean_f1"],
        dead=int((densities == 0).sum()),
        surplus=int(is_surplus.sum()),
        surplus_dead=int((densities[is_surplus] == 0).sum()),
        surplus_l0=densities[is_surplus].sum().item(),
        matching=match.matching,
        cosines=match.cosines,
    )


def _matched(code: Tensor, matching: Tensor) -> Tensor:
    """Return the code of the unit of each feature, 0 where there is none; (samples, features)."""
    matched = code[:, matching.clamp(min=0)]
    return torch.where(matching >= 0, matched, 0.0)


def _check(
    sae: SparseAutoencoder, superposition: Superposition, samples: int, batch_size: int
) -> None:
    for name, number in (("samples", samples), ("batch_size", batch_size)):
        if type(number) is not int or number < 1:
            raise ConfigurationError(f"{name}: expected an integer, 1 or more, got {number!r}")
    if superposition.dimensions != sae.features:
        raise ShapeError(
            f"superposition: expected {sae.features} dimensions, the autoencoder having "
            f"{sae.features} features, got {superposition.dimensions}"
        )
