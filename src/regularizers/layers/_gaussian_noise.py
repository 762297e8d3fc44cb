"""Normal noise that is added."""

from __future__ import annotations

from torch import Tensor

from regularizers.functional.noise import check_std
from regularizers.layers._noise import NoiseLayer, normal


class GaussianNoise(NoiseLayer):
    """Adds normal noise of a stated standard deviation in training, as in Keras.

    It is `functional.gaussian_noise` in training, with PyTorch's own generator, and the identity in
    evaluation.

    Args:
        std: the standard deviation of the noise, in the unit of the input; 0 makes it the identity.

    Shape:
        The output has the shape and type of the input.

    Raises:
        ConfigurationError: a standard deviation that is negative or not finite.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> noise = rz.layers.GaussianNoise(0.5)(torch.zeros(100_000))
        >>> abs(noise.std().item() - 0.5) < 0.01
        True

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        check_std(std)
        self.std = float(std)

    @property
    def is_noisy(self) -> bool:
        """Whether the standard deviation is above 0."""
        return self.std != 0

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` plus the noise; in evaluation, or at a standard deviation of 0, `x` itself."""
        if not self.draws:
            return x
        self.check(x)
        return x + (self.std * normal(x)).to(x.dtype)

    def check(self, x: Tensor) -> None:
        check_std(self.std)
        super().check(x)

    def extra_repr(self) -> str:
        """Return the setting, as the module's text shows it."""
        return f"std={self.std}"
