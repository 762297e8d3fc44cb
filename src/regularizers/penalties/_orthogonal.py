"""Vectors drawn to be orthogonal to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from regularizers.errors import ConfigurationError
from regularizers.penalties._matrix_term import MatrixTerm
from regularizers.penalties._vectors import Vectors, identity, transposed
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    divide,
    matmul,
    nonzero,
    scaled_norm,
)


@dataclass(frozen=True, repr=False)
class Orthogonal(MatrixTerm):
    r"""How far the vectors of a kernel are from being orthonormal, or from being orthogonal.

    .. math:: p(x) = s\,\|V V^\top - I\|_F^2, \qquad
        \frac{\partial p}{\partial V} = 4 s\,(V V^\top - I)\,V

    The rows of V are numbered by `axis`; all other axes are flattened into one, as is usual for
    convolutions. Of the weights of modules, `kernel(Orthogonal(s, axis="output"))` takes one vector
    of all that feeds one output unit or channel, and `"input"` of all that leaves one input: which
    axes these are the module says, as for `GroupLasso`. With `normalized=True` the vectors
    u = v/‖v‖ take their place, and only their angles count:

    .. math:: p(x) = \frac{s}{n(n-1)} \sum_{i \ne j} |u_i \cdot u_j|

    This is the mean over pairs of `|cosine|`. Keras' `OrthogonalRegularizer(s, mode)` has the same
    factor; its mode `"rows"` is `axis=0` and `"columns"` is `axis=1`, of an array as Keras lays it
    out: the kernel of a Dense layer is the transpose of that of PyTorch's Linear.

    More than m vectors of m numbers cannot be orthonormal: of n > m the least is s(n − m), where
    VᵀV = I, and the smaller of VVᵀ and VᵀV is what is computed.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        axis: the axis that numbers the vectors; of the weight of a module `"output"` or `"input"`.
        normalized: whether only the angles count. A vector of zeros has none, and no gradient; a
            single vector costs nothing.
        reduce: `"sum"` or None, which are the same: it is no sum over elements to average.
        batch_axis: None. A kernel has no samples.

    Raises:
        ConfigurationError: an axis that is none of these, a `reduce` or a `batch_axis` there is
            not; of an array, or of the weight of a module whose layout is not known, `"output"` or
            `"input"`.
        ShapeError: an axis that the array has not.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> kernel = np.array([[1.0, 0.0], [0.5, 1.0]])
        >>> float(rz.Orthogonal(1.0)(kernel))
        0.5625

    Source: Brock et al., "Neural photo editing with introspective adversarial networks", 2016,
    `arXiv:1609.07093 <https://arxiv.org/abs/1609.07093>`__; normalized: Keras'
    `OrthogonalRegularizer`.
    """

    normalized: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.normalized) is not bool:
            raise ConfigurationError(f"normalized: expected True or False, got {self.normalized!r}")

    def denominator(self, frame: Frame) -> Denominator:
        return frame.blocks(Vectors(self.axis, frame).within) if self.normalized else None

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        xp, vectors = frame.xp, Vectors(self.axis, frame)
        if self.normalized:
            rows = vectors.rows(_directions(xp, x, vectors)[0])
            cosines = matmul(xp, rows, transposed(xp, rows))
            cosines = cosines - cosines * identity(xp, cosines)
            # unlike abs, its derivative at 0 is 0 in every library
            return xp.sum(xp.maximum(cosines, -cosines)), (xp.sign(cosines),)
        rows = vectors.rows(x)
        if vectors.number > vectors.length:
            # ‖VVᵀ − I‖² is ‖VᵀV − I‖² + n − m
            products = matmul(xp, transposed(xp, rows), rows)
            error = products - identity(xp, products)
            more = frame.blocks(vectors.within) - vectors.length
            return xp.sum(error * error) + more, (error,)
        products = matmul(xp, rows, transposed(xp, rows))
        error = products - identity(xp, products) * vectors.valid()
        return xp.sum(error * error), (error,)

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        xp, vectors, (matrix,) = frame.xp, Vectors(self.axis, frame), saved
        if self.normalized:
            directions, per_length = _directions(xp, x, vectors)
            slope = vectors.array(2 * matmul(xp, matrix, vectors.rows(directions)))
            along = xp.sum(slope * directions, axis=vectors.within, keepdims=True)
            return cotangent * per_length * (slope - along * directions)
        rows = vectors.rows(x)
        factors = (rows, matrix) if vectors.number > vectors.length else (matrix, rows)
        return 4 * cotangent * vectors.array(matmul(xp, *factors))

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return divide(xp, statistic, _ordered_pairs(denominator))

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return divide(xp, xp.ones_like(statistic), _ordered_pairs(denominator))


def _directions(xp: Namespace, x: Array, vectors: Vectors) -> tuple[Array, Array]:
    """Return u = v/‖v‖ of every vector and 1/‖v‖; where v is 0, u is 0 too."""
    norm, scale = scaled_norm(xp, x, vectors.within)
    norm = nonzero(xp, norm)
    return x * scale / norm, scale / norm


def _ordered_pairs(count: Denominator) -> Denominator:
    return None if count is None else count * (count - 1)
