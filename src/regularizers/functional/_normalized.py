"""The results of batch normalization, and its gradients."""

from __future__ import annotations

import math
from typing import NamedTuple

from regularizers.functional._noised import check_cotangent
from regularizers.penalties.arrays import Array, cast, namespace_of


class RunningStatistics(NamedTuple):
    """The moving averages over the batches of training, by which evaluation normalizes.

    Attributes:
        mean: shape (C,); initially zeros.
        variance: shape (C,), unbiased; initially ones.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> start = functional.RunningStatistics(np.zeros(2), np.ones(2))
        >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
        >>> functional.batch_norm(x, statistics=start, momentum=0.5).statistics.mean
        array([ 1., 10.])
    """

    mean: Array
    variance: Array


class BatchNormGradients(NamedTuple):
    """The gradients of a batch normalization.

    Attributes:
        x: the gradient for x, in its shape and type.
        gamma: the gradient for γ, of shape (C,); None where γ is.
        beta: the gradient for β, of shape (C,); None where β is.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x, beta = np.array([[1.0], [3.0]]), np.zeros(1)
        >>> gradients = functional.batch_norm(x, beta=beta).vjp(np.array([[1.0], [1.0]]))
        >>> gradients.beta, gradients.gamma is None
        (array([2.]), True)
    """

    x: Array
    gamma: Array | None
    beta: Array | None


class Standardised(NamedTuple):
    """The values of the forward that backward needs.

    Attributes:
        x_hat: (x − μ)/√(σ² + ε), in the shape of x and at least in float32.
        inverse_deviation: 1/√(σ² + ε), of length 1 along every axis but the channel axis.
        gamma: γ of shape (C,), or None.
        beta: β of shape (C,), or None.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> kept = functional.batch_norm(np.array([[1.0, 10.0], [3.0, 30.0]])).kept
        >>> kept.inverse_deviation.round(2)
        array([[1. , 0.1]])
        >>> kept.axes, kept.elements_each
        ((0,), 2)
    """

    x_hat: Array
    inverse_deviation: Array
    gamma: Array | None
    beta: Array | None

    @property
    def axes(self) -> tuple[int, ...]:
        """All axes but the channel axis."""
        return tuple([axis for axis, one in enumerate(self.inverse_deviation.shape) if one == 1])

    @property
    def elements_each(self) -> int:
        """The number of elements of each channel."""
        return math.prod([self.x_hat.shape[axis] for axis in self.axes])


class BatchNormTrained(NamedTuple):
    """The output of a batch normalization in training, and the new running statistics.

    Attributes:
        y: the normalized array, in the shape and type of x.
        statistics: the new running statistics; None where none are kept.
        kept: what `vjp` needs.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x, gamma = np.array([[1.0], [3.0]]), np.array([2.0])
        >>> trained = functional.batch_norm(x, gamma)
        >>> trained.y.round(3)
        array([[-2.],
               [ 2.]])
        >>> trained.vjp(np.array([[1.0], [3.0]])).gamma.round(3)  # the sum of ȳ · (∓1)
        array([2.])
    """

    y: Array
    statistics: RunningStatistics | None
    kept: Standardised

    def vjp(self, cotangent: Array, /) -> BatchNormGradients:
        r"""Return the gradients for x, γ and β, given the one for y.

        .. math:: \bar\beta = \sum \bar y, \qquad \bar\gamma = \sum \bar y \hat x, \qquad
            \bar x = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}} \left(\bar y
            - \frac{1}{n} \bar\beta - \frac{1}{n} \hat x\, \bar\gamma\right)

        The mean and variance of the batch are functions of x, and are differentiated; the running
        statistics are not.

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Shape:
            Those of x, γ and β; None for a γ or β that is None.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        y_bar, beta_bar, gamma_bar = _sums(self.y, cotangent, self.kept)
        x_hat, n = self.kept.x_hat, self.kept.elements_each
        x_hat_bar = y_bar - beta_bar / n - x_hat * gamma_bar / n
        return _gradients(self.y, x_hat_bar, gamma_bar, beta_bar, self.kept)


class BatchNormEvaluated(NamedTuple):
    """The output of a batch normalization in evaluation.

    Attributes:
        y: the normalized array, in the shape and type of x.
        kept: what `vjp` needs.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> seen = functional.RunningStatistics(np.array([1.0]), np.array([4.0]))
        >>> result = functional.batch_norm_evaluation(np.array([[1.0], [5.0]]), statistics=seen)
        >>> result.vjp(np.array([[1.0], [1.0]])).x.round(3)
        array([[0.5],
               [0.5]])
    """

    y: Array
    kept: Standardised

    def vjp(self, cotangent: Array, /) -> BatchNormGradients:
        r"""Return the gradients for x, γ and β, given the one for y.

        .. math:: \bar\beta = \sum \bar y, \qquad \bar\gamma = \sum \bar y \hat x, \qquad
            \bar x = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}} \bar y

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Shape:
            Those of x, γ and β; None for a γ or β that is None.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        y_bar, beta_bar, gamma_bar = _sums(self.y, cotangent, self.kept)
        return _gradients(self.y, y_bar, gamma_bar, beta_bar, self.kept)


def _sums(y: Array, cotangent: Array, kept: Standardised) -> tuple[Array, Array, Array]:
    """Return the cotangent of `y`, and its sums for β and for γ, at least in float32."""
    check_cotangent(y, cotangent)
    xp = namespace_of(y)
    y_bar = cast(cotangent, kept.x_hat.dtype)
    beta_bar = xp.sum(y_bar, axis=kept.axes, keepdims=True)
    gamma_bar = xp.sum(y_bar * kept.x_hat, axis=kept.axes, keepdims=True)
    return y_bar, beta_bar, gamma_bar


def _gradients(
    y: Array, x_hat_bar: Array, gamma_bar: Array, beta_bar: Array, kept: Standardised
) -> BatchNormGradients:
    """Return the gradients in the shapes and dtypes of x, γ and β."""
    x_bar = x_hat_bar * kept.inverse_deviation
    if kept.gamma is not None:
        gamma = cast(kept.gamma, x_bar.dtype)
        x_bar = x_bar * namespace_of(y).reshape(gamma, kept.inverse_deviation.shape)
    return BatchNormGradients(
        cast(x_bar, y.dtype),
        _as_parameter(kept.gamma, gamma_bar),
        _as_parameter(kept.beta, beta_bar),
    )


def _as_parameter(parameter: Array | None, gradient: Array) -> Array | None:
    """Return the gradient in the shape and dtype of its parameter; None if that is None."""
    if parameter is None:
        return None
    xp = namespace_of(parameter)
    return cast(xp.reshape(gradient, parameter.shape), parameter.dtype)
