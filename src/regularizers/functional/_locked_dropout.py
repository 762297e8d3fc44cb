"""Locked dropout: one mask for all time steps."""

from __future__ import annotations

from regularizers.functional._dropout import dropout_noise
from regularizers.functional._noised import Noised, identity_noise, noised
from regularizers.functional._random import Generator, uniform
from regularizers.functional._settings import check_rate
from regularizers.penalties.arrays import Array, check_axis, namespace_of, normalise_axes


def locked_dropout(x: Array, /, rate: float, rng: Generator, *, time_axis: int) -> Noised:
    r"""Drop the same units of a sequence at every time step: variational dropout.

    .. math:: y_t = \frac{m}{1 - r} \odot x_t, \qquad m_i \sim \mathrm{Bernoulli}(1 - r)

    Args:
        x: sequences of a real floating type.
        rate: r, the fraction of units that is dropped, in [0, 1); 0 returns `x` itself.
        rng: as for `dropout`.
        time_axis: the axis of time; there is no default, since both 0 and 1 are common.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y: that of x; noise: that of x, with 1 for the time axis.

    Raises:
        ConfigurationError: a rate outside [0, 1), a generator of another library, or a time axis
            that is not an integer.
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
    networks", 2016, arXiv 1512.05287.
    """
    xp = namespace_of(x)
    check_rate(rate)
    check_axis(time_axis, "time_axis")
    shape = shared_over_time_shape(x, time_axis)
    if rate == 0:
        return identity_noise(xp, x, shape)
    return noised(x, dropout_noise(xp, uniform(xp, x, shape, rng), rate))


def shared_over_time_shape(x: Array, time_axis: int) -> tuple[int, ...]:
    """Return the shape of `x` with one time step, which broadcasts to `x`."""
    time = normalise_axes(time_axis, x.ndim, "time_axis")
    return tuple([1 if axis in time else extent for axis, extent in enumerate(x.shape)])
