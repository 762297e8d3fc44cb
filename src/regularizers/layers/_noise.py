"""The base classes of the noise layers: noise in training, and none in evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import array_api_compat.torch as xp
import torch
from torch import Tensor, nn

from regularizers.errors import ArrayTypeError
from regularizers.functional.noise import check_rate, dropout_noise, rate_of


class NoiseLayer(nn.Module, ABC):
    """A layer that draws noise in training, and none in evaluation."""

    @property
    @abstractmethod
    def is_noisy(self) -> bool:
        """Whether the settings let it draw noise in training."""

    @property
    def draws(self) -> bool:
        """Whether the forward draws noise, as it does in training unless the settings say none."""
        return self.training and self.is_noisy

    def check(self, x: Tensor) -> None:
        """Raise unless `x` is real floating point and the current settings are valid."""
        if not x.is_floating_point():
            raise ArrayTypeError(
                f"{type(self).__name__}: expected a tensor of a real floating type, got {x.dtype}; "
                f"convert it first, for example with x.float()"
            )


class RatedNoise(NoiseLayer):
    """A layer that multiplies by noise of mean 1 in training, and is the identity in evaluation.

    Args:
        rate: the fraction that is dropped, in [0, 1); 0 makes it the identity in training too.
        p: PyTorch's name for the rate; one of the two is given.

    Raises:
        ConfigurationError: a rate outside [0, 1), or both a rate and p.
    """

    def __init__(self, rate: float | None = None, *, p: float | None = None) -> None:
        super().__init__()
        self.rate = float(rate_of(rate, p))

    @property
    def p(self) -> float:
        """PyTorch's name for the rate."""
        return self.rate

    @p.setter
    def p(self, rate: float) -> None:
        self.rate = rate

    @abstractmethod
    def noise(self, x: Tensor) -> Tensor:
        """Return noise that broadcasts to `x`, in float32 or wider."""

    @property
    def is_noisy(self) -> bool:
        """Whether the rate is above 0."""
        return self.rate != 0

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times the noise; in evaluation, or at a rate of 0, `x` itself."""
        return self.noised(x) if self.draws else x

    def noised(self, x: Tensor) -> Tensor:
        """Return `x` times noise, in the type of `x`."""
        self.check(x)
        return x * self.noise(x).to(x.dtype)

    def check(self, x: Tensor) -> None:
        check_rate(self.rate)
        super().check(x)

    def mask(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return dropout noise of a shape, to multiply `x` by."""
        noise: Tensor = dropout_noise(xp, uniform(x, shape), self.rate)
        return noise

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"rate={self.rate}"


def uniform(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return numbers uniform in [0, 1) of a shape, to make noise for `x` of."""
    return torch.rand(shape, dtype=noise_dtype(x), device=x.device)


def normal(x: Tensor) -> Tensor:
    """Return standard normal numbers in the shape of `x`, to make noise for `x` of."""
    return torch.randn(x.shape, dtype=noise_dtype(x), device=x.device)


def noise_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype in which noise for `x` is drawn: that of `x`, or float32 if wider."""
    return torch.promote_types(x.dtype, torch.float32)
