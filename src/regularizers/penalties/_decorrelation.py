"""The covariances between units over a batch."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.errors import ConfigurationError
from regularizers.penalties._term import Term
from regularizers.penalties._vectors import Vectors, identity, transposed
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    Reduce,
    divide,
    matmul,
)


@dataclass(frozen=True, repr=False)
class Decorrelation(Term):
    r"""The squared covariances between different units over the batch: each says something else.

    .. math:: p(x) = \frac{s}{2} \left(\|C\|_F^2 - \|\operatorname{diag} C\|^2\right), \qquad
        C = \frac{1}{N} \sum_i (x_i - m)(x_i - m)^\top, \qquad m = \frac{1}{N} \sum_i x_i

    .. math:: \frac{\partial p}{\partial x_i} =
        \frac{2s}{N}\,(C - \operatorname{diag} C)\,(x_i - m)

    The units of a sample are all its elements but those along batch axes, flattened. Variances cost
    nothing. C has d² numbers for d units: of pictures take a pooled layer, or the channels alone by
    `batch_axis=(0, 2, 3)`.

    It is a statistic of the batch: it is never divided by the batch size again. Several processes
    that share a batch join their moments in float64, where a mean m of t standard deviations costs
    about t² · 1e-16 of C; one process subtracts the mean first, and t · 1e-7 is lost in float32.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"` or `"batch_mean"`, which are the same; for a mean over the d(d − 1) pairs
            divide the strength.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: a mean over elements; called with a mask that covers other axes than
            those of the batch.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> codings = np.array([[1.0, 2.0], [-1.0, -2.0]])  # a covariance of 2
        >>> float(rz.Decorrelation(1.0)(codings))
        4.0
        >>> rz.Decorrelation(1.0).gradient(codings)
        array([[ 4.,  2.],
               [-4., -2.]])

    Source: Cogswell et al., "Reducing overfitting in deep networks by decorrelating
    representations", 2016, `arXiv:1511.06068 <https://arxiv.org/abs/1511.06068>`__.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reduce == "mean":
            raise ConfigurationError(
                "reduce: expected 'sum' or 'batch_mean' of Decorrelation, which is of pairs of "
                "units, got 'mean'; divide the strength by the number of pairs instead"
            )

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        return ("sum", "batch_mean")

    @property
    def reads_samples(self) -> bool:
        return True

    @property
    def adds_over_units(self) -> bool:
        return False

    @property
    def takes_empty(self) -> bool:
        return True

    def spans_samples(self, statistic: Array) -> bool:
        return True

    def denominator(self, frame: Frame) -> Denominator:
        return None  # the statistic holds the number of samples

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        """Return the sums of products of what is left of units without their means, bordered.

        The first row is the number of samples, then the means. The first column is otherwise 0.

        Args:
            x: the array, in the precision to accumulate in, 0 where a mask is False.
            frame: its axes, denominators and namespace.
        """
        xp = frame.xp
        count, mean, centred = self._centred(x, frame)
        products = matmul(xp, transposed(xp, centred), centred)
        return _bordered(xp, count, mean, products), ()

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        xp = frame.xp
        count, _, centred = self._centred(x, frame)
        along = cotangent[1:, 1:]
        # what is centred adds up to 0, so the mean takes nothing from it
        slope = matmul(xp, centred, along + transposed(xp, along))
        slope = slope + divide(xp, cotangent[:1, 1:], count)
        return Vectors(frame.batch, frame).array(slope)

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        between = _between_units(statistic, xp)
        return xp.sum(between * between) / 2

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        count, mean = statistic[:1, :1], statistic[:1, 1:]
        slope = divide(xp, _between_units(statistic, xp), count)
        return _bordered(xp, xp.zeros_like(count), xp.zeros_like(mean), slope)

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        # Σ (1, x)(1, x)ᵀ adds up
        count, mean = statistic[:1, :1], statistic[:1, 1:]
        products = statistic[1:, 1:] + count * _square(xp, mean)
        return _bordered(xp, count, count * mean, products)

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        count, mean = total[:1, :1], divide(xp, total[:1, 1:], total[:1, :1])
        return _bordered(xp, count, mean, total[1:, 1:] - count * _square(xp, mean))

    def _centred(self, x: Array, frame: Frame) -> tuple[Array, Array, Array]:
        """Return the number of samples, the mean of each unit, and the samples less the means."""
        xp, vectors = frame.xp, Vectors(frame.batch, frame)
        if not frame.masks_whole_samples:
            raise ConfigurationError(
                f"{type(self).__name__}: mask: expected one over batch axes, {frame.batch}, since "
                f"the units of a sample count together, got one that covers other axes; if it "
                f"covers tokens, say batch_axis=(0, 1)"
            )
        rows = vectors.rows(x)
        total = xp.sum(rows, axis=0, keepdims=True)
        count = xp.zeros_like(xp.sum(total, axis=1, keepdims=True)) + frame.samples
        mean = divide(xp, total, count)
        return count, mean, vectors.valid() * (rows - mean)


def _between_units(statistic: Array, xp: Namespace) -> Array:
    """Return the covariances, with 0 in place of the variances."""
    covariances = divide(xp, statistic[1:, 1:], statistic[:1, :1])
    return covariances - covariances * identity(xp, covariances)


def _bordered(xp: Namespace, count: Array, mean: Array, products: Array) -> Array:
    left = xp.zeros_like(transposed(xp, mean))
    top = xp.concat([count, mean], axis=1)
    return xp.concat([top, xp.concat([left, products], axis=1)], axis=0)


def _square(xp: Namespace, mean: Array) -> Array:
    return matmul(xp, transposed(xp, mean), mean)
