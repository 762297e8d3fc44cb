"""The largest factor by which a kernel stretches a vector."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._matrix_term import MatrixTerm
from regularizers.penalties._vectors import Vectors
from regularizers.penalties.arrays import Array, Frame, matmul


@dataclass(frozen=True, repr=False)
class Spectral(MatrixTerm):
    r"""Half the square of the spectral norm of a kernel, its largest singular value.

    .. math:: p(x) = \frac{s}{2}\,\sigma^2, \qquad \sigma = \max_{\|a\| = 1} \|V a\|, \qquad
        \frac{\partial p}{\partial V} = s\,\sigma\,u\,v^\top

    The rows of V are numbered by `axis`; all other axes are flattened into one, as is usual for
    convolutions. u and v are the singular vectors of σ. Where two singular values are equal, or
    all are 0, the penalty has a kink: the gradient is that of one of them, and of a matrix of zeros
    it is 0.

    σ comes from a full decomposition, and not from a step of power iteration as in the publication,
    so it is exact, keeps no state, and takes of the order of n·m·min(n, m) operations. At equal
    singular values a second derivative is NaN.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        axis: the axis that numbers the rows; of the weight of a module `"output"` or `"input"`.
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
        >>> kernel = np.array([[3.0, 0.0], [0.0, 2.0]])
        >>> float(rz.Spectral(1.0)(kernel))
        4.5
        >>> abs(rz.Spectral(1.0).gradient(kernel))
        array([[3., 0.],
               [0., 0.]])

    Source: Yoshida and Miyato, "Spectral norm regularization for improving the generalizability of
    deep learning", 2017, `arXiv:1705.10941 <https://arxiv.org/abs/1705.10941>`__.
    """

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        xp, rows = frame.xp, Vectors(self.axis, frame).rows(x)
        # no decomposition takes what is not finite, which passes through beside it
        finite, zeros = xp.isfinite(rows), xp.zeros_like(rows)
        left, values, right = xp.linalg.svd(xp.where(finite, rows, zeros), full_matrices=False)
        largest = values[0] + xp.sum(xp.where(finite, zeros, xp.abs(rows)))
        return largest * largest / 2, (largest * left[:, :1], right[:1, :])

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        left, right = saved
        return cotangent * Vectors(self.axis, frame).array(matmul(frame.xp, left, right))
