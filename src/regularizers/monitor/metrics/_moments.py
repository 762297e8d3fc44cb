"""Means and sums of squares that parts of a stream add up to without cancellation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.monitor.metrics._block import widest
from regularizers.monitor.metrics._samples import Samples


class Moments(NamedTuple):
    r"""Of each unit: the number of samples, their mean, and Σ(x − mean)².

    The textbook E[x²] − E[x]² loses every digit where the mean is large beside the spread. Here a
    batch is read twice, and two parts a and b join as

    .. math::
        \delta = \bar x_b - \bar x_a, \quad
        \bar x = \bar x_a + \delta \frac{n_b}{n}, \quad
        M = M_a + M_b + \delta^2 \frac{n_a n_b}{n}

    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
    """

    n: Tensor
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, samples: Samples) -> Moments:
        """Return the moments of a batch; each (units,), in the widest type but for n."""
        n = samples.per_unit
        size = n.clamp(min=1).to(widest(n.device))
        # a mean rounded to the type of x is near enough to subtract; what is left corrects it
        near = (samples.total(samples.x, axis=0) / size).to(samples.x.dtype)
        apart = samples.select(samples.x - near)
        left = samples.total(apart, axis=0) / size
        squares = samples.total(apart.square(), axis=0) - size * left.square()
        return cls(n, near.to(left.dtype) + left, squares.clamp(min=0))

    @property
    def spread(self) -> Tensor:
        """Σ(x − mean)² of each unit, exactly 0 where all that there is of it is rounding."""
        rounding = 2 * torch.finfo(self.mean.dtype).eps * self.mean.abs()
        return torch.where(self.squares <= self.n * rounding.square(), 0.0, self.squares)

    def and_then(self, other: Moments) -> Moments:
        """Return the moments of both parts."""
        n = self.n + other.n
        share = other.n / n.clamp(min=1).to(self.mean.dtype)
        apart = other.mean - self.mean
        return Moments(
            n,
            self.mean + apart * share,
            self.squares + other.squares + apart.square() * self.n * share,
        )
