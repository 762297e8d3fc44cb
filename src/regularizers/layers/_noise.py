"""The base class of the noise layers: noise in training, the identity in evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from regularizers.errors import ArrayTypeError
from regularizers.functional.noise import check_rate


class NoiseLayer(nn.Module, ABC):
    """A layer that multiplies by noise of mean 1 in training, and is the identity in evaluation.

    Args:
        rate: the fraction that is dropped, in [0, 1); 0 makes it the identity in training too.

    Raises:
        ConfigurationError: a rate outside [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        check_rate(rate)
        self.rate = float(rate)

    @abstractmethod
    def noise(self, x: Tensor) -> Tensor:
        """Return noise that broadcasts to `x`, in float32 or wider."""

    @property
    def draws(self) -> bool:
        """Whether the forward draws noise: in training, unless the rate is 0."""
        return self.training and self.rate != 0

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times the noise; in evaluation, or at a rate of 0, `x` itself."""
        return self.noised(x) if self.draws else x

    def noised(self, x: Tensor) -> Tensor:
        """Return `x` times noise, in the type of `x`."""
        self.check(x)
        return x * self.noise(x).to(x.dtype)

    def check(self, x: Tensor) -> None:
        """Raise unless `x` is real floating point and the current rate is valid."""
        check_rate(self.rate)
        if not x.is_floating_point():
            raise ArrayTypeError(
                f"{type(self).__name__}: expected a tensor of a real floating type, got {x.dtype}; "
                f"convert it first, for example with x.float()"
            )

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"rate={self.rate}"


def noise_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype in which noise for `x` is drawn: that of `x`, or float32 if wider."""
    return torch.promote_types(x.dtype, torch.float32)
