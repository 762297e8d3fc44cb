"""Dropout by normal noise."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.functional.noise import gaussian_noise
from regularizers.layers._noise import NoiseLayer, noise_dtype


class GaussianDropout(NoiseLayer):
    """Multiplies by normal noise of mean 1 and variance rate / (1 - rate), as in Keras.

    It is `functional.gaussian_dropout` in training, with PyTorch's own generator, and the identity
    in evaluation.

    Args:
        rate: the rate of the dropout with the same variance, in [0, 1).

    Shape:
        The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1).

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
        z = torch.randn(x.shape, dtype=noise_dtype(x), device=x.device)
        noise: Tensor = gaussian_noise(z, self.rate)
        return noise
