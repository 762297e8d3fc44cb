"""ShakeDrop: residual branches times random numbers, others in backward than in forward."""

from __future__ import annotations

from typing import NamedTuple

from regularizers.functional._constant import constant_of, differentiates
from regularizers.functional._drop_path import per_sample_shape
from regularizers.functional._noised import check_cotangent, identity_noise
from regularizers.functional._random import Generator, uniform
from regularizers.functional._settings import check_kept
from regularizers.penalties.arrays import Array, Axes, Namespace, cast, namespace_of


class Shaken(NamedTuple):
    r"""An array times one factor, and the factor of its gradient, which is another.

    .. math:: y = x \odot f, \qquad \bar x = \bar y \odot g

    It is a named tuple, `y, factor, gradient_factor = shake_drop(...)`, and so passes through
    `jax.jit`.

    Attributes:
        y: x ⊙ f, in the shape and type of x.
        factor: f, in the type of x and a shape that broadcasts to x.
        gradient_factor: g, likewise.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> shaken = functional.shake_drop(np.ones((3, 2)), 0.5, np.random.default_rng(0))
        >>> shaken.factor.round(2).ravel(), shaken.gradient_factor.round(2).ravel()
        (array([-0.97,  1.  ,  1.  ]), array([0.61, 1.  , 1.  ]))
    """

    y: Array
    factor: Array
    gradient_factor: Array

    def vjp(self, cotangent: Array, /) -> Array:
        """Return what ShakeDrop gives x for a gradient: the one for y, times g.

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Shape:
            That of x.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        return cast(cotangent * self.gradient_factor, self.y.dtype)


def shake_drop(x: Array, /, p: float, rng: Generator = None, *, batch_axis: Axes = 0) -> Shaken:
    r"""Multiply each sample of a residual branch by 1 or by a random number, in training.

    .. math:: y_i = (b_i + \alpha_i - b_i \alpha_i)\, x_i, \qquad
        \bar x_i = (b_i + \beta_i - b_i \beta_i)\, \bar y_i

    .. math:: b_i \sim \mathrm{Bernoulli}(p), \qquad \alpha_i \sim \mathcal U(-1, 1), \qquad
        \beta_i \sim \mathcal U(0, 1)

    With probability p a sample is left as it is. Otherwise it is multiplied by α in forward and by
    β in backward, which are drawn independently. The gradient is therefore not the derivative of
    y, by intent. PyTorch and JAX differentiate y to this gradient, as `vjp` gives it; libraries
    without differentiation have `vjp`.

    In evaluation the branch is multiplied by the expectation of its factor, p: write `p * x`.

    Args:
        x: an array of a real floating type.
        p: the probability that a sample is left as it is, in (0, 1]; 1 returns `x` itself. It is
            not the rate of a dropout: a smaller p is more noise.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        batch_axis: the axis of samples, or several; `()` draws once for the whole array.

    Returns:
        `(y, factor, gradient_factor)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y: that of x; the factors: that of x, with 1 for every axis but the batch axes.

    Raises:
        ConfigurationError: a p outside (0, 1], or a generator of another library.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: a batch axis that x does not have.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> shaken = functional.shake_drop(np.ones((3, 2)), 0.5, np.random.default_rng(0))
        >>> shaken.y.round(2)
        array([[-0.97,  -0.97],
               [ 1.  ,  1.  ],
               [ 1.  ,  1.  ]])
        >>> shaken.vjp(np.ones((3, 2))).round(2)
        array([[0.61, 0.61],
               [1.  , 1.  ],
               [1.  , 1.  ]])

    Source: Yamada et al., "ShakeDrop regularization for deep residual learning", 2018,
    `arXiv:1802.02375 <https://arxiv.org/abs/1802.02375>`__.
    """
    xp = namespace_of(x)
    check_kept(p)
    shape = per_sample_shape(x, batch_axis)
    if p == 1:
        one = identity_noise(xp, x, shape).noise
        return Shaken(x, one, one)
    factors = shake_factors(xp, uniform(xp, x, (3, *shape), rng), p)
    factor, gradient_factor = [cast(one, x.dtype) for one in factors]
    return Shaken(_with_slope(xp, x, factor, gradient_factor), factor, gradient_factor)


def shake_factors(xp: Namespace, u: Array, p: float) -> tuple[Array, Array]:
    """Return the factors of forward and backward, from three uniform numbers along the first axis.

    The three are for b, α and β; both factors share b.
    """
    b = xp.astype(u[0, ...] < p, u.dtype)
    alpha, beta = 2 * u[1, ...] - 1, u[2, ...]
    return b + (1 - b) * alpha, b + (1 - b) * beta


def _with_slope(xp: Namespace, x: Array, factor: Array, slope: Array) -> Array:
    """Return `x` times `factor`, which is differentiated as if it were `x` times `slope`."""
    y = x * factor
    if not differentiates(x):
        return y
    # 0 in value, also for infinite elements, whose difference would be NaN
    zero = xp.where(xp.isfinite(x), x - constant_of(x), xp.zeros_like(x))
    return constant_of(y) + zero * slope
