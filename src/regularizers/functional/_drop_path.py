"""Drop path: dropout of whole samples."""

from __future__ import annotations

from regularizers.functional._dropout import dropped
from regularizers.functional._noised import Noised
from regularizers.functional._random import Generator
from regularizers.functional._settings import rate_of
from regularizers.penalties.arrays import Array, Axes, namespace_of, normalise_axes


def drop_path(
    x: Array,
    /,
    rate: float | None = None,
    rng: Generator = None,
    *,
    batch_axis: Axes = 0,
    p: float | None = None,
) -> Noised:
    r"""Set a share of the samples to zero and scale the rest up: stochastic depth.

    .. math:: y_i = \frac{m_i}{1 - r} x_i, \qquad m_i \sim \mathrm{Bernoulli}(1 - r)

    It is for the branch of a residual block, `x + drop_path(branch(x), ...).y`: a sample whose
    branch is dropped skips the block.

    Args:
        x: an array of a real floating type.
        rate: r, the fraction of samples that is dropped, in [0, 1); 0 returns `x` itself.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        batch_axis: the axis of samples, or several.
        p: PyTorch's name for the rate; one of the two is given.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y: that of x; noise: that of x, with 1 for every axis but the batch axes.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or a generator of another
            library.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: a batch axis that x does not have.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.drop_path(np.ones((3, 2)), 0.5, np.random.default_rng(0)).y
        array([[2., 2.],
               [0., 0.],
               [0., 0.]])

    Source: Huang et al., "Deep networks with stochastic depth", 2016, `arXiv:1603.09382
    <https://arxiv.org/abs/1603.09382>`__; Larsson, Maire, Shakhnarovich, "FractalNet", 2017,
    `arXiv:1605.07648 <https://arxiv.org/abs/1605.07648>`__.
    """
    xp = namespace_of(x)
    rate = rate_of(rate, p)
    return dropped(xp, x, per_sample_shape(x, batch_axis), rate, rng)


def per_sample_shape(x: Array, batch_axis: Axes) -> tuple[int, ...]:
    """Return the shape with one number per sample, which broadcasts to `x`."""
    batch = normalise_axes(batch_axis, x.ndim)
    return tuple([extent if axis in batch else 1 for axis, extent in enumerate(x.shape)])
