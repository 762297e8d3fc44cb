"""Batch normalization, in training and in evaluation."""

from __future__ import annotations

from typing import TypeAlias

from regularizers.errors import ShapeError
from regularizers.functional._channels import Channels
from regularizers.functional._normalized import (
    BatchNormEvaluated,
    BatchNormTrained,
    RunningStatistics,
    Standardised,
)
from regularizers.functional._settings import check_epsilon, check_momentum
from regularizers.penalties.arrays import Array, cast, detached, namespace_of, widen

Statistics: TypeAlias = RunningStatistics | tuple[Array, Array]


def batch_norm(
    x: Array,
    /,
    gamma: Array | None = None,
    beta: Array | None = None,
    *,
    statistics: Statistics | None = None,
    channel_axis: int = 1,
    epsilon: float = 1e-5,
    momentum: float = 0.1,
) -> BatchNormTrained:
    r"""Normalize each channel by the mean and variance of the batch, in training.

    .. math:: y = \gamma \odot \hat x + \beta, \qquad
        \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
        \mu = \frac{1}{n} \sum x, \qquad \sigma^2 = \frac{1}{n} \sum (x - \mu)^2

    .. math:: \mu_{\mathrm{running}} \leftarrow (1 - a)\, \mu_{\mathrm{running}} + a\, \mu, \qquad
        \sigma^2_{\mathrm{running}} \leftarrow (1 - a)\, \sigma^2_{\mathrm{running}}
        + a\, \frac{n}{n - 1} \sigma^2

    The sums run over every axis but that of the channels. As in PyTorch, the variance that
    normalizes is the biased one, and the running one unbiased. Nothing is changed in place: the
    new running statistics are returned, and carry no gradient in PyTorch.

    Args:
        x: an array of a real floating type. Half precision is computed in float32.
        gamma: γ of shape (C,); None for 1.
        beta: β of shape (C,); None for 0.
        statistics: the running mean and variance so far, each of shape (C,); None to keep none.
        channel_axis: the axis of the channels; the sums run over all other axes.
        epsilon: ε, above 0.
        momentum: a, the weight of this batch in the running statistics. Keras' momentum is 1 − a.

    Returns:
        `(y, statistics, kept)`, whose `vjp` takes a cotangent of y to the gradients for x, γ and β.

    Shape:
        y: that of x, in its type; statistics: two of shape (C,), in their own types.

    Raises:
        ShapeError: a γ, β or statistics not of shape (C,); fewer than two elements a channel.
        ArrayTypeError: an array that is not real floating point, or of another library than x.
        ConfigurationError: an epsilon or momentum out of range; statistics that are no pair.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
        >>> start = functional.RunningStatistics(np.zeros(2), np.ones(2))
        >>> trained = functional.batch_norm(x, statistics=start)
        >>> trained.y.round(3)
        array([[-1., -1.],
               [ 1.,  1.]])
        >>> trained.statistics.mean
        array([0.2, 2. ])
        >>> functional.batch_norm_evaluation(x, statistics=trained.statistics).y.shape
        (2, 2)

    Source: Ioffe, Szegedy, "Batch normalization", 2015, `arXiv:1502.03167
    <https://arxiv.org/abs/1502.03167>`__.
    """
    xp = namespace_of(x)
    check_epsilon(epsilon)
    check_momentum(momentum)
    channels = Channels(xp, x, channel_axis)
    channels.check("gamma", gamma)
    channels.check("beta", beta)
    if statistics is not None:
        channels.check_statistics(statistics)
    n = channels.elements_each
    if n < 2:
        raise ShapeError(
            f"x: expected two elements or more a channel in training, since the variance of fewer "
            f"says nothing, got {n} in shape {tuple(x.shape)} with channels along axis "
            f"{channels.axis}; pass a larger batch, or use batch_norm_evaluation"
        )
    wide = widen(xp, x)
    mean = xp.mean(wide, axis=channels.others, keepdims=True)
    centred = wide - mean
    variance = xp.mean(centred * centred, axis=channels.others, keepdims=True)
    inverse_deviation = 1 / xp.sqrt(variance + epsilon)
    kept = Standardised(centred * inverse_deviation, inverse_deviation, gamma, beta)
    updated = None
    if statistics is not None:
        old_mean, old_variance = statistics
        updated = RunningStatistics(
            _updated(old_mean, channels.per_channel(mean), momentum),
            _updated(old_variance, channels.per_channel(variance) * (n / (n - 1)), momentum),
        )
    return BatchNormTrained(_affine(x, kept, channels), updated, kept)


def batch_norm_evaluation(
    x: Array,
    /,
    gamma: Array | None = None,
    beta: Array | None = None,
    *,
    statistics: Statistics,
    channel_axis: int = 1,
    epsilon: float = 1e-5,
) -> BatchNormEvaluated:
    r"""Normalize each channel by the running statistics, in evaluation.

    .. math:: y = \gamma \odot \frac{x - \mu_{\mathrm{running}}}
        {\sqrt{\sigma^2_{\mathrm{running}} + \varepsilon}} + \beta

    Args:
        x: an array of a real floating type. Half precision is computed in float32.
        gamma: γ of shape (C,); None for 1.
        beta: β of shape (C,); None for 0.
        statistics: the running mean and variance, each of shape (C,).
        channel_axis: the axis of the channels.
        epsilon: ε, above 0.

    Returns:
        `(y, kept)`, whose `vjp` takes a cotangent of y to the gradients for x, γ and β.

    Shape:
        y: that of x, in its type.

    Raises:
        ShapeError: a γ, β or statistics not of shape (C,).
        ArrayTypeError: an array that is not real floating point, or of another library than x.
        ConfigurationError: an epsilon out of range; statistics that are no pair.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> seen = functional.RunningStatistics(np.array([1.0]), np.array([4.0]))
        >>> functional.batch_norm_evaluation(np.array([[1.0], [5.0]]), statistics=seen).y.round(3)
        array([[0.],
               [2.]])

    Source: Ioffe, Szegedy, "Batch normalization", 2015, `arXiv:1502.03167
    <https://arxiv.org/abs/1502.03167>`__.
    """
    xp = namespace_of(x)
    check_epsilon(epsilon)
    channels = Channels(xp, x, channel_axis)
    channels.check("gamma", gamma)
    channels.check("beta", beta)
    channels.check_statistics(statistics)
    wide = widen(xp, x)
    mean, variance = [channels.broadcast(cast(one, wide.dtype)) for one in statistics]
    inverse_deviation = 1 / xp.sqrt(variance + epsilon)
    kept = Standardised((wide - mean) * inverse_deviation, inverse_deviation, gamma, beta)
    return BatchNormEvaluated(_affine(x, kept, channels), kept)


def _affine(x: Array, kept: Standardised, channels: Channels) -> Array:
    """Return γ ⊙ x̂ + β in the type of `x`."""
    y = kept.x_hat
    if kept.gamma is not None:
        y = y * channels.broadcast(cast(kept.gamma, y.dtype))
    if kept.beta is not None:
        y = y + channels.broadcast(cast(kept.beta, y.dtype))
    return cast(y, x.dtype)


def _updated(old: Array, new: Array, momentum: float) -> Array:
    """Return the running statistic updated by one batch, in its own dtype."""
    xp = namespace_of(old)
    wide = widen(xp, old)
    # detached, or the graph would keep every batch since the first
    return cast(detached((1 - momentum) * wide + momentum * cast(new, wide.dtype)), old.dtype)
