"""DropBlock: dropout of squares, for feature maps whose neighbours are correlated."""

from __future__ import annotations

from regularizers.errors import ShapeError
from regularizers.functional._noised import Noised, identity_noise, noised
from regularizers.functional._random import Generator, uniform
from regularizers.functional._settings import check_block_size, rate_of
from regularizers.penalties.arrays import Array, Namespace, namespace_of, size_of


def drop_block(
    x: Array,
    /,
    rate: float | None = None,
    block_size: int = 7,
    rng: Generator = None,
    *,
    p: float | None = None,
) -> Noised:
    r"""Set squares of each map to zero, about a fraction r of it, and scale the rest up.

    .. math:: y = x \odot M \cdot \frac{\mathrm{count}(M)}{\mathrm{count\_ones}(M)}, \qquad
        \gamma = \frac{r}{b^2} \cdot \frac{H W}{(H - b + 1)(W - b + 1)}

    At each position where a square of side b fits into the map, one begins with probability γ. M is
    0 in every square and 1 elsewhere. Each channel of each sample has its own squares; the scale is
    one number for the whole array. Squares may overlap, so slightly less than r is dropped.

    Args:
        x: an array of a real floating type; its last two axes are height and width.
        rate: r, the fraction that is dropped, in [0, 1); 0 returns `x` itself.
        block_size: b; a square larger than the map is cut to its shorter side, as the authors do.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        p: PyTorch's name for the rate; one of the two is given.

    Returns:
        `(y, noise)`, whose `vjp` takes a cotangent of y to the gradient for x.

    Shape:
        x: (..., H, W), for example (N, C, H, W). y and noise: that of x.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, a block size below 1, or a
            generator of another library.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: an array of fewer than two dimensions.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> functional.drop_block(np.ones((4, 6)), 0.3, 2, np.random.default_rng(1)).noise.round(2)
        array([[1.2, 1.2, 1.2, 1.2, 1.2, 1.2],
               [1.2, 1.2, 1.2, 0. , 0. , 1.2],
               [1.2, 1.2, 1.2, 0. , 0. , 1.2],
               [1.2, 1.2, 1.2, 1.2, 1.2, 1.2]])

    Source: Ghiasi, Lin, Le, "DropBlock: a regularization method for convolutional networks", 2018,
    `arXiv:1810.12890 <https://arxiv.org/abs/1810.12890>`__.
    """
    xp = namespace_of(x)
    rate = rate_of(rate, p)
    check_block_size(block_size)
    check_is_map(x)
    if rate == 0 or size_of(x) == 0:
        return identity_noise(xp, x, x.shape)
    return noised(x, block_noise(xp, uniform(xp, x, x.shape, rng), rate, block_size))


def check_is_map(x: Array) -> None:
    """Raise unless `x` has a height and a width."""
    if x.ndim < 2:
        raise ShapeError(
            f"x: expected two dimensions or more, height and width the last, "
            f"got shape {tuple(x.shape)}"
        )


def block_noise(xp: Namespace, u: Array, rate: float, block_size: int) -> Array:
    """Return M times its scale, from uniform numbers `u` of the shape of the maps."""
    height, width = u.shape[-2:]
    b = min(block_size, height, width)
    gamma = rate / b**2 * height * width / ((height - b + 1) * (width - b + 1))
    kept = ~_dilated(xp, _dilated(xp, u < gamma, b), b)
    M = xp.astype(kept, u.dtype)
    # a mean of means: a count in float32 is exact only up to 2²⁴
    share = xp.mean(xp.mean(M, axis=(-2, -1)))
    # avoids 0/0 if everything is dropped
    return M / xp.where(share > 0, share, xp.ones_like(share))


def _dilated(xp: Namespace, begins: Array, b: int) -> Array:
    """Dilate `begins` to runs of length `b` along the last axis, and swap the last two axes.

    The runs double until their length is `b`. Nothing wraps around, because no run begins where it
    does not fit.
    """
    fits = begins.shape[-1] - b + 1
    inside = xp.concat([begins[..., :fits], xp.zeros_like(begins[..., fits:])], axis=-1)
    reach = 1
    while reach < b:
        step = min(reach, b - reach)
        inside = inside | xp.roll(inside, step, axis=-1)
        reach += step
    return xp.matrix_transpose(inside)
