"""Probabilities that change linearly with the depth of a residual network."""

from __future__ import annotations

from regularizers.functional._settings import check_depth, check_kept, check_rate


def drop_path_rates(p: float, depth: int) -> list[float]:
    r"""Return a rate of drop path for each residual block, from 0 at the first to p at the last.

    .. math:: r_i = \frac{i}{L - 1}\, p, \qquad i = 0, \dots, L - 1

    Args:
        p: the rate of the last block, in [0, 1).
        depth: L, the number of blocks; the rate of a single one is 0, as in timm.

    Returns:
        L rates, first block first, for `DropPath` or `drop_path`.

    Raises:
        ConfigurationError: a rate outside [0, 1), or a depth below 1.

    Example:
        >>> from regularizers import functional
        >>> functional.drop_path_rates(0.2, 5)
        [0.0, 0.05, 0.1, 0.15000000000000002, 0.2]

    Source: Huang et al., "Deep networks with stochastic depth", 2016, `arXiv:1603.09382
    <https://arxiv.org/abs/1603.09382>`__; the first block is never dropped, as in timm's
    `linspace(0, p, depth)`.
    """
    check_rate(p, "p")
    check_depth(depth)
    return [float(p * (i / max(depth - 1, 1))) for i in range(depth)]


def shake_drop_probabilities(p: float, depth: int) -> list[float]:
    r"""Return for each residual block the probability with which `ShakeDrop` leaves it as it is.

    .. math:: p_l = 1 - \frac{l}{L} (1 - p_L), \qquad l = 1, \dots, L

    Unlike the rates of drop path, these are probabilities of keeping, and the first is below 1.

    Args:
        p: p_L, the probability of the last block, in (0, 1]; the authors' is 0.5.
        depth: L, the number of blocks.

    Returns:
        L probabilities, first block first, for `ShakeDrop` or `shake_drop`.

    Raises:
        ConfigurationError: a probability outside (0, 1], or a depth below 1.

    Example:
        >>> from regularizers import functional
        >>> functional.shake_drop_probabilities(0.5, 4)
        [0.875, 0.75, 0.625, 0.5]

    Source: Yamada et al., "ShakeDrop regularization for deep residual learning", 2018,
    `arXiv:1802.02375 <https://arxiv.org/abs/1802.02375>`__, section 3.
    """
    check_kept(p)
    check_depth(depth)
    shares = [block / depth for block in range(1, depth + 1)]
    return [float((1 - share) + share * p) for share in shares]
