"""Shared dropout: one mask along the stated axes."""

from __future__ import annotations

from regularizers.functional._dropout import dropped
from regularizers.functional._noised import Noised
from regularizers.functional._random import Generator
from regularizers.functional._settings import check_shared_axes, rate_of
from regularizers.penalties.arrays import Array, Axes, namespace_of, normalise_axes


def shared_dropout(
    x: Array,
    /,
    rate: float | None = None,
    rng: Generator = None,
    *,
    axes: Axes,
    p: float | None = None,
) -> Noised:
    r"""Drop elements by a mask that is the same along the stated axes.

    .. math:: y_{ij} = \frac{m_j}{1 - r} x_{ij}, \qquad m_j \sim \mathrm{Bernoulli}(1 - r)

    Here i runs over the stated axes, j over the others. Of pictures (N, C, H, W), `axes=(2, 3)`
    drops whole channels, as `nn.Dropout2d` does; of sequences (N, T, D), `axes=1` drops the same
    units at every step, as `locked_dropout` does; `axes=0` drops the same elements of all samples.

    Args:
        x: an array of a real floating type.
        rate: r, the fraction that is dropped, in [0, 1); 0 returns `x` itself.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        axes: the axes along which the mask is the same, by number; negative ones count from the
            end. An empty tuple is `dropout`.
        p: PyTorch's name for the rate; one of the two is given.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        y: that of x; noise: that of x, with 1 for each of the axes.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, a generator of another
            library, or axes that are not integers.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: an axis that x does not have, or one that is named twice.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.shared_dropout(np.ones((2, 4)), 0.5, np.random.default_rng(0), axes=0).y
        array([[2., 0., 0., 0.],
               [2., 0., 0., 0.]])

    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015,
    `arXiv:1411.4280 <https://arxiv.org/abs/1411.4280>`__; Keras' `Dropout(noise_shape=...)`.
    """
    xp = namespace_of(x)
    rate = rate_of(rate, p)
    check_shared_axes(axes)
    return dropped(xp, x, shared_shape(x, axes), rate, rng)


def shared_shape(x: Array, axes: Axes, name: str = "axes") -> tuple[int, ...]:
    """Return the shape of `x` with 1 for each of `axes`, which broadcasts to `x`."""
    shared = normalise_axes(axes, x.ndim, name)
    return tuple([1 if axis in shared else extent for axis, extent in enumerate(x.shape)])
