"""Dropout by normal noise."""

from __future__ import annotations

from torch import Tensor

from regularizers.functional.noise import gaussian_dropout_noise
from regularizers.layers._noise import RatedNoise, normal


class GaussianDropout(RatedNoise):
    """Multiplies by normal noise of mean 1 and variance rate / (1 - rate), as in Keras.

    It is `functional.gaussian_dropout` in training, with PyTorch's own generator, and the identity
    in evaluation.

    Args:
        rate: the rate of the dropout with the same variance, in [0, 1).
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1), or both a rate and p.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> noise = rz.layers.GaussianDropout(0.2)(torch.ones(100_000))
        >>> abs(noise.std().item() - 0.5) < 0.01
        True

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    2014, section 10.
    """

    def noise(self, x: Tensor) -> Tensor:
        noise: Tensor = gaussian_dropout_noise(normal(x), self.rate)
        return noise
