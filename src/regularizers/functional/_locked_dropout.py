"""Locked dropout: one mask for all time steps."""

from __future__ import annotations

from regularizers.functional._dropout import dropped
from regularizers.functional._noised import Noised
from regularizers.functional._random import Generator
from regularizers.functional._settings import rate_of
from regularizers.functional._shared_dropout import shared_shape
from regularizers.penalties.arrays import Array, check_axis, namespace_of


def locked_dropout(
    x: Array,
    /,
    rate: float | None = None,
    rng: Generator = None,
    *,
    time_axis: int,
    p: float | None = None,
) -> Noised:
    r"""Drop the same units of a sequence at every time step: variational dropout.

    .. math:: y_t = \frac{m}{1 - r} \odot x_t, \qquad m_i \sim \mathrm{Bernoulli}(1 - r)

    It is `shared_dropout` with `axes=time_axis`.

    Args:
        x: sequences of a real floating type.
        rate: r, the fraction of units that is dropped, in [0, 1); 0 returns `x` itself.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        time_axis: the axis of time; there is no default, since both 0 and 1 are common.
        p: PyTorch's name for the rate; one of the two is given.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y: that of x; noise: that of x, with 1 for the time axis.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, a generator of another
            library, or a time axis that is not an integer.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: a time axis that x does not have.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.locked_dropout(np.ones((3, 4)), 0.5, np.random.default_rng(0), time_axis=0).y
        array([[2., 0., 0., 0.],
               [2., 0., 0., 0.],
               [2., 0., 0., 0.]])

    Source: Gal, Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks", 2016, `arXiv:1512.05287 <https://arxiv.org/abs/1512.05287>`__.
    """
    xp = namespace_of(x)
    rate = rate_of(rate, p)
    check_axis(time_axis, "time_axis")
    return dropped(xp, x, shared_shape(x, time_axis, "time_axis"), rate, rng)
