"""The entropy of the classes that logits stand for, and the confidence penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from regularizers.errors import ShapeError
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    check_axis,
    normalise_axes,
)


@dataclass(frozen=True, repr=False)
class _SignedEntropy(Term):
    """The sum over positions of the entropy of a softmax along `axis`, times a sign."""

    axis: int = -1

    sign: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_axis(self.axis)

    def joint_axes(self, ndim: int) -> tuple[int, ...]:
        return (self.axis % ndim,)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        self._axis_of_classes(shape, normalise_axes(self.batch_axis, len(shape)))

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        xp = frame.xp
        below, powers, total = self._softmax(x, frame)
        mean = xp.sum(powers * below, axis=self._axis(frame), keepdims=True) / total
        return self.sign * xp.sum(xp.log(total) - mean), ()

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        # log p + H is the logit less its mean over p, which loses no digits to the logarithms
        below, powers, total = self._softmax(x, frame)
        shares = powers / total
        mean = frame.xp.sum(shares * below, axis=self._axis(frame), keepdims=True)
        return self.sign * cotangent * shares * (mean - below)

    def denominator(self, frame: Frame) -> Denominator:
        axis = self._axis(frame)
        return frame.blocks((axis,)) if frame.reduce == "mean" else frame.count

    def _softmax(self, x: Array, frame: Frame) -> tuple[Array, Array, Array]:
        """Return logits less the largest, 0 where they count for nothing; their powers and sum."""
        xp, axis = frame.xp, self._axis(frame)
        nothing = -math.inf * xp.ones_like(x)
        logits = x if frame.mask is None else xp.where(frame.mask, x, nothing)
        largest = xp.max(logits, axis=axis, keepdims=True)
        if frame.mask is not None:  # a position without a class counts for nothing
            some = xp.any(frame.mask, axis=axis, keepdims=True)
            largest = xp.where(some, largest, xp.zeros_like(largest))
        below = logits - largest
        powers = xp.exp(below)
        total = xp.sum(powers, axis=axis, keepdims=True)
        if frame.mask is not None:
            total = xp.where(some, total, xp.ones_like(total))
        return xp.where(below == nothing, xp.zeros_like(x), below), powers, total

    def _axis(self, frame: Frame) -> int:
        return self._axis_of_classes(frame.shape, frame.batch)

    def _axis_of_classes(self, shape: tuple[int, ...], batch: tuple[int, ...]) -> int:
        """Return the axis of classes; raise unless it has several, and numbers no samples."""
        ndim, name = len(shape), type(self).__name__
        if not -ndim <= self.axis < ndim:
            raise ShapeError(
                f"axis: expected an axis of classes for {name}, got {self.axis} of an array of "
                f"{ndim} dimensions"
            )
        axis = self.axis % ndim
        if axis in batch:
            raise ShapeError(
                f"axis: expected another axis for the classes of {name} than those of the batch, "
                f"{batch}, got {self.axis} of the shape {shape}; say batch_axis=, which is () for "
                f"a single sample"
            )
        if shape[axis] == 1:
            raise ShapeError(
                f"axis: expected two classes or more for {name} along axis {self.axis}, got one of "
                f"the shape {shape}, whose entropy is always 0; for the logit z of a sigmoid give "
                f"the pair (z, 0)"
            )
        return axis


@dataclass(frozen=True, repr=False)
class Entropy(_SignedEntropy):
    r"""The entropy of the probabilities that logits stand for: it makes predictions confident.

    .. math:: p(z) = s\,H(z), \qquad H(z) = -\sum_k q_k \log q_k, \qquad
        q = \operatorname{softmax}(z)

    .. math:: \frac{\partial p}{\partial z_k} = -s\,q_k\,(\log q_k + H)

    There is one entropy, in nats, for each position along all other axes, and they are added. It
    is lowered where no label is known, as in semi-supervised learning; `ConfidencePenalty` is its
    opposite. Logits are what comes before a softmax; log-probabilities do as well, and
    probabilities do not.

    A logit of −∞ is a class that cannot be: it counts for nothing and has no gradient. So does what
    a mask leaves out. A position with no class at all is NaN, unless a mask left them out.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        axis: the axis of classes, which is no batch axis.
        reduce: `"sum"` over positions; `"batch_mean"`, their sum for each sample averaged over
            samples; `"mean"`, the average over positions. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several; `()` for a single sample. None: 0, or what a
            module says of its output.

    Raises:
        ConfigurationError: an axis that is no integer.
        ShapeError: an axis that the array has not, that numbers samples, or of one class.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> logits = np.log([[0.8, 0.2], [0.9, 0.1]])
        >>> round(float(rz.Entropy(1.0, reduce="mean")(logits)), 3)
        0.413
        >>> rz.Entropy(1.0).gradient(logits).round(3)
        array([[-0.222,  0.222],
               [-0.198,  0.198]])

    Source: Grandvalet and Bengio, "Semi-supervised learning by entropy minimization", 2004.
    """


@dataclass(frozen=True, repr=False)
class ConfidencePenalty(_SignedEntropy):
    r"""The negative entropy of the probabilities that logits stand for: it keeps them uncertain.

    .. math:: p(z) = -\beta\,H(z), \qquad H(z) = -\sum_k q_k \log q_k, \qquad
        q = \operatorname{softmax}(z)

    .. math:: \frac{\partial p}{\partial z_k} = \beta\,q_k\,(\log q_k + H)

    It is `Entropy` with the other sign, for classifiers that are too sure. Its value lies between
    −β log(classes) and 0 for each position. A single sample of the publication is one position, so
    that its loss is `activity(ConfidencePenalty(0.1), where=LOGITS)`.

    Args:
        strength: β, finite and not negative; a number, a schedule or a target. 0.1 in the
            publication for pictures.
        axis: the axis of classes, which is no batch axis.
        reduce: `"sum"` over positions; `"batch_mean"`, their sum for each sample averaged over
            samples; `"mean"`, the average over positions. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several; `()` for a single sample. None: 0, or what a
            module says of its output.

    Raises:
        ConfigurationError: an axis that is no integer.
        ShapeError: an axis that the array has not, that numbers samples, or of one class.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> logits = np.log([[0.8, 0.2], [0.9, 0.1]])
        >>> rz.ConfidencePenalty(0.1).gradient(logits).round(4)
        array([[ 0.0222, -0.0222],
               [ 0.0198, -0.0198]])

    Source: Pereyra et al., "Regularizing neural networks by penalizing confident output
    distributions", 2017, `arXiv:1701.06548 <https://arxiv.org/abs/1701.06548>`__.
    """

    sign: ClassVar[float] = -1.0
