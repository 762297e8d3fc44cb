"""Data in superposition: more features than dimensions, few of them active at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.sae.synthetic._batches import SyntheticBatches, generator_at, mixed
from regularizers.sae.synthetic._dictionary import dictionary
from regularizers.sae.synthetic._firing import Correlated, Firings, Independent, Samples
from regularizers.sae.synthetic._hierarchy import Hierarchy
from regularizers.sae.synthetic._probabilities import given_parent
from regularizers.sae.synthetic._problems import PROBLEMS


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Superposition:
    r"""A source of samples that are sums of few directions of a known dictionary.

    .. math:: x = D^\top c, \qquad c_i = b_i \, \mathrm{relu}(1 + \sigma n_i)

    b says which features fire, n is standard normal. It is made by `superposition`, or by `named`
    for a problem that has a name. It holds no state: samples depend on the generator alone.

    Attributes:
        dictionary: D, (features, dimensions), float32; a row of norm 1 for each feature.
        probabilities: (features,), float64: how often each feature fires, whether its parent does
            or not.
        hierarchy: (features,), int64: the parent of each feature, -1 for a root. None: no feature
            has one.
        magnitude_deviation: σ, the deviation of the magnitudes.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> problem = rz.sae.Superposition.named("A2")
        >>> problem
        Superposition(256 features in 64 dimensions, 2.8 active)
        >>> x, coefficients = problem.sample(1000, torch.Generator().manual_seed(1))
        >>> x.shape, coefficients.shape
        (torch.Size([1000, 64]), torch.Size([1000, 256]))
        >>> batches = problem.batches(512, 100, seed=1)
        >>> len(batches), torch.equal(batches[7], list(batches)[7])
        (100, True)
    """

    dictionary: Tensor
    probabilities: Tensor
    hierarchy: Tensor | None
    magnitude_deviation: float
    _forest: Hierarchy | None
    _law: Independent | Correlated
    _children: Independent | None

    @property
    def features(self) -> int:
        """The number of features."""
        return self.dictionary.shape[0]

    @property
    def dimensions(self) -> int:
        """The number of dimensions of a sample."""
        return self.dictionary.shape[1]

    @property
    def active(self) -> float:
        """The true L0, which is how many features fire in a sample, on average."""
        return float(self.probabilities.sum())

    @classmethod
    def named(cls, name: str, seed: int = 0) -> Superposition:
        """Return a problem that has a name.

        ====  ====================  =========================================================  ===
        name  features, dimensions  probabilities                                              L0
        ====  ====================  =========================================================  ===
        A2    256 in 64             equal, independent                                         2.8
        A8    256 in 64             equal, independent                                         8
        B8    1024 in 128           ∝ rank^−.8, at most .3; correlations of rank 32, scale .1  8
        ====  ====================  =========================================================  ===

        Args:
            name: of the problem.
            seed: as for `superposition`.

        Raises:
            ConfigurationError: no problem has this name.

        Example:
            >>> import regularizers as rz
            >>> rz.sae.Superposition.named("A2")
            Superposition(256 features in 64 dimensions, 2.8 active)
        """
        if name not in PROBLEMS:
            raise ConfigurationError(
                f"named: expected one of {', '.join(PROBLEMS)}, got {name!r}; superposition(...) "
                f"makes others"
            )
        return superposition(**PROBLEMS[name], seed=seed)

    def sample(self, n: int, generator: torch.Generator) -> Samples:
        """Return `n` samples and the coefficients that they are made of.

        Args:
            n: the number of samples.
            generator: a generator of the CPU, which is drawn from.

        Raises:
            ConfigurationError: `n` is no integer, 0 or more.
        """
        if type(n) is not int or n < 0:
            raise ConfigurationError(f"n: expected an integer, 0 or more, got {n!r}")
        fires, magnitudes = self._drawn(n, generator)
        coefficients = torch.zeros(n, self.features)
        coefficients[fires.sample, fires.feature] = magnitudes
        return Samples(self._summed(n, fires, magnitudes), coefficients)

    def batches(self, size: int, number: int, seed: int) -> SyntheticBatches:
        """Return a stream of `number` batches of `size` samples, the same for the same seed.

        It has a length, may be iterated again, and keeps nothing but the batch at hand.

        Args:
            size: the samples of a batch.
            number: the number of batches.
            seed: of the samples.
        """
        return SyntheticBatches(self._x, size, number, seed)

    def _x(self, n: int, generator: torch.Generator) -> Tensor:
        return self._summed(n, *self._drawn(n, generator))

    def _drawn(self, n: int, generator: torch.Generator) -> tuple[Firings, Tensor]:
        fires = self._law.draw(n, generator)
        if self._forest is not None and self._children is not None:
            either = fires.dense(n, self.features)
            either |= self._children.draw(n, generator).dense(n, self.features)
            fires = Firings.where(self._forest.silence_orphans(either))
        normal = torch.randn(len(fires.sample), generator=generator)
        return fires, (1 + self.magnitude_deviation * normal).relu_()

    def _summed(self, n: int, fires: Firings, magnitudes: Tensor) -> Tensor:
        x = torch.zeros(n, self.dimensions)
        return x.index_add_(0, fires.sample, self.dictionary[fires.feature] * magnitudes[:, None])

    def __repr__(self) -> str:
        return (
            f"Superposition({self.features} features in {self.dimensions} dimensions, "
            f"{self.active:.4g} active)"
        )


def superposition(
    features: int = 256,
    dimensions: int = 64,
    active: float | None = None,
    *,
    probabilities: str | Tensor = "uniform",
    exponent: float = 0.8,
    highest: float = 1.0,
    correlation_rank: int = 0,
    correlation_scale: float = 0.1,
    hierarchy: Sequence[int] | Tensor | None = None,
    orthogonalise: bool = True,
    magnitude_deviation: float = 0.3,
    seed: int = 0,
) -> Superposition:
    r"""Make a source of synthetic samples with a known dictionary.

    Args:
        features: the number of directions of the dictionary.
        dimensions: the number of dimensions of a sample.
        active: the true L0, the sum of all probabilities; 2.8 by default.
        probabilities: how often each feature fires, of a child how often if its parent does:
            `"uniform"`, all alike; `"power"`, min(highest, c · rank^−exponent), feature 0 being the
            most frequent; or a tensor of (features,), which says what `active` is.
        exponent: of the power law.
        highest: the largest probability.
        correlation_rank: how many common factors correlate the features; 0 for none.
        correlation_scale: the deviation of the normal entries of A, (features, rank). z, a Gaussian
            of unit variance and with the covariance AAᵀ off the diagonal, is thresholded so that
            each feature keeps its probability exactly.
        hierarchy: the parent of each feature, -1 for a root. A child fires only if its parent
            does. Its probability is then the product along its path from the root, which the
            attribute `probabilities` has and `active` counts. Factors correlate the roots alone:
            a child is drawn independently where its parent fires.
        orthogonalise: lower the squared cosines between the directions by gradient descent.
        magnitude_deviation: σ of the magnitudes relu(1 + σ n). A feature that fires has the
            magnitude 0 with the probability Φ(−1/σ), 4e-4 for .3.
        seed: of the dictionary and of the factors. Samples have seeds of their own.

    Returns:
        The source, with `.dictionary`, `.probabilities`, `.sample(n, generator)` and
        `.batches(size, number, seed)`.

    Raises:
        ConfigurationError, ShapeError: a number, probabilities or a hierarchy that cannot be.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> tree = rz.sae.superposition(4, 8, probabilities=torch.tensor([0.5, 0.5, 0.5, 0.125]),
        ...                             hierarchy=[-1, 0, 1, -1])
        >>> tree.probabilities
        tensor([0.5000, 0.2500, 0.1250, 0.1250], dtype=torch.float64)
        >>> tree.active
        1.0

    Source: Elhage et al., "Toy models of superposition", 2022,
    `arXiv:2209.10652 <https://arxiv.org/abs/2209.10652>`__, for the setting; Emrich and Piedmonte,
    "A method for generating high-dimensional multivariate binary variates", 1991, for thresholds of
    a Gaussian.
    """
    _check_numbers(features, dimensions, correlation_rank, seed)
    _check_deviations(correlation_scale, magnitude_deviation)
    forest = None if hierarchy is None else Hierarchy(hierarchy, features)
    given = given_parent(probabilities, active, features, exponent, highest, forest)
    generator = generator_at(mixed(seed, "dictionary"))
    directions = dictionary(features, dimensions, generator, orthogonalise=orthogonalise)
    roots = given if forest is None else torch.where(forest.roots, given, 0.0)
    law: Independent | Correlated = Independent(roots)
    if correlation_rank:
        generator = generator_at(mixed(seed, "factors"))
        factors = torch.randn(features, correlation_rank, generator=generator)
        law = Correlated(roots, correlation_scale * factors)
    return Superposition(
        dictionary=directions,
        probabilities=given if forest is None else forest.marginals(given),
        hierarchy=None if forest is None else forest.parents,
        magnitude_deviation=magnitude_deviation,
        _forest=forest,
        _law=law,
        _children=None if forest is None else Independent(torch.where(forest.roots, 0.0, given)),
    )


def _check_numbers(features: int, dimensions: int, rank: int, seed: int) -> None:
    least = {
        "features": (features, 1),
        "dimensions": (dimensions, 1),
        "correlation_rank": (rank, 0),
    }
    for name, (number, lowest) in least.items():
        if type(number) is not int or number < lowest:
            raise ConfigurationError(
                f"{name}: expected an integer, {lowest} or more, got {number!r}"
            )
    if type(seed) is not int:
        raise ConfigurationError(f"seed: expected an integer, got {seed!r}")


def _check_deviations(scale: float, deviation: float) -> None:
    for name, value in (("correlation_scale", scale), ("magnitude_deviation", deviation)):
        if not (math.isfinite(value) and value >= 0):
            raise ConfigurationError(f"{name}: expected a finite number, 0 or more, got {value!r}")
