"""ShakeDrop: random factors of residual branches, others in backward than in forward."""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch
from torch import Tensor

from regularizers.functional.noise import check_kept, per_sample_shape, shake_factors
from regularizers.layers._noise import NoiseLayer, uniform
from regularizers.penalties.arrays import Axes, check_batch_axis


class ShakeDrop(NoiseLayer):
    r"""Multiplies each sample of a residual branch by 1 or a random number: `x + shake(branch(x))`.

    .. math:: y_i = (b_i + \alpha_i - b_i \alpha_i)\, x_i, \qquad
        \bar x_i = (b_i + \beta_i - b_i \beta_i)\, \bar y_i

    .. math:: b_i \sim \mathrm{Bernoulli}(p), \qquad \alpha_i \sim \mathcal U(-1, 1), \qquad
        \beta_i \sim \mathcal U(0, 1)

    It is `functional.shake_drop` in training, with PyTorch's own generator. Forward and backward
    share b, so that a sample is shaken in both or in none; α and β are independent. The gradient is
    therefore not the derivative of the output, by intent. In evaluation it multiplies by p, the
    expectation of the factor.

    The authors end each branch with batch normalization, and let p fall with depth:
    `functional.shake_drop_probabilities(0.5, depth)`.

    Args:
        p: the probability that a sample is left as it is, in (0, 1]; 1 makes it the identity. It is
            not the rate of a dropout: a smaller p is more noise.
        batch_axis: the axis of samples, or several; `()` draws once for the whole batch.

    Shape:
        The output has the shape and type of the input.

    Raises:
        ConfigurationError: a p outside (0, 1], or a batch axis that is not an integer.
        ShapeError: in the forward, a batch axis that the input does not have.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> x = torch.ones(3, 2, requires_grad=True)
        >>> shake_drop = rz.layers.ShakeDrop(0.5)
        >>> y = shake_drop(x)
        >>> y.sum().backward()
        >>> y[:, 0].tolist() == x.grad[:, 0].tolist()
        False
        >>> shake_drop.eval()(torch.ones(1, 2))
        tensor([[0.5000, 0.5000]])

    Source: Yamada et al., "ShakeDrop regularization for deep residual learning", 2018,
    `arXiv:1802.02375 <https://arxiv.org/abs/1802.02375>`__.
    """

    def __init__(self, p: float, batch_axis: Axes = 0) -> None:
        super().__init__()
        check_kept(p)
        check_batch_axis(batch_axis)
        self.p = float(p)
        self.batch_axis = batch_axis

    @property
    def is_noisy(self) -> bool:
        """Whether p is below 1."""
        return self.p != 1

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` times the factors; in evaluation times p; `x` itself if p is 1."""
        if not self.is_noisy:
            return x
        self.check(x)
        if not self.training:
            return x * self.p
        u = uniform(x, (3, *per_sample_shape(x, self.batch_axis)))
        factor, slope = shake_factors(xp, u, self.p)
        shaken: Tensor = _Shake.apply(x, factor.to(x.dtype), slope.to(x.dtype))  # type: ignore[no-untyped-call]
        return shaken

    def check(self, x: Tensor) -> None:
        check_kept(self.p)
        super().check(x)

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"p={self.p}" + ("" if self.batch_axis == 0 else f", batch_axis={self.batch_axis}")


class _Shake(torch.autograd.Function):
    """Multiplies by one factor in forward, and by another in backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, factor: Tensor, slope: Tensor) -> Tensor:
        return x * factor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return cotangent * slope, None, None
