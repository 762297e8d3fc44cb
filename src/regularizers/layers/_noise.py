"""What the noise layers share: noise in training, the identity otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from regularizers.errors import ArrayTypeError
from regularizers.functional.noise import check_rate


class NoiseLayer(nn.Module, ABC):
    """A layer that multiplies by noise of mean 1 in training, and is the identity in evaluation.

    Args:
        rate: the share that is dropped, in [0, 1); 0 makes it the identity in training too.

    Raises:
        ConfigurationError: a rate outside [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        check_rate(rate)
        self.rate = float(rate)

    @abstractmethod
    def noise(self, x: Tensor) -> Tensor:
        """Return noise that broadcasts to `x`, at least in float32."""

    @property
    def draws(self) -> bool:
        """Whether there is noise: in training, unless the rate is 0."""
        return self.training and self.rate != 0

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times the noise; in evaluation, or at a rate of 0, `x` itself."""
        return self.noised(x) if self.draws else x

    def noised(self, x: Tensor) -> Tensor:
        """Return `x` times noise, in the type of `x`."""
        self.check(x)
        return x * self.noise(x).to(x.dtype)

    def check(self, x: Tensor) -> None:
        """Raise unless the rate, which may have been changed, and `x` allow for noise."""
        check_rate(self.rate)
        if not x.is_floating_point():
            raise ArrayTypeError(
                f"{type(self).__name__}: expected a tensor of a real floating type, got {x.dtype}; "
                f"convert it first, for example with x.float()"
            )

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"rate={self.rate}"


def wide(x: Tensor) -> torch.dtype:
    """Return the type to draw noise for `x` in: at least float32."""
    return torch.promote_types(x.dtype, torch.float32)
