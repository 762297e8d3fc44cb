"""Stochastic depth."""

from __future__ import annotations

from torch import Tensor

from regularizers.functional.noise import per_sample_shape
from regularizers.layers._noise import RatedNoise
from regularizers.penalties.arrays import Axes, check_batch_axis


class DropPath(RatedNoise):
    """Drops the branch of a residual block for some samples: `x + drop_path(branch(x))`.

    It is `functional.drop_path` in training, with PyTorch's own generator, and the identity in
    evaluation.

    Args:
        rate: the fraction of samples that is dropped, in [0, 1).
        batch_axis: the axis of samples, or several; 1 for sequences of shape (time, batch, ...).
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or a batch axis that is
            not an integer.
        ShapeError: in the forward, a batch axis that the input does not have.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> drop_path = rz.layers.DropPath(0.5)
        >>> drop_path(torch.ones(3, 2))
        tensor([[0., 0.],
                [2., 2.],
                [0., 0.]])
        >>> drop_path.eval()(torch.ones(1, 2))
        tensor([[1., 1.]])

    Source: Huang et al., "Deep networks with stochastic depth", 2016,
    `arXiv:1603.09382 <https://arxiv.org/abs/1603.09382>`__.
    """

    def __init__(
        self, rate: float | None = None, batch_axis: Axes = 0, *, p: float | None = None
    ) -> None:
        super().__init__(rate, p=p)
        check_batch_axis(batch_axis)
        self.batch_axis = batch_axis

    def noise(self, x: Tensor) -> Tensor:
        return self.mask(x, per_sample_shape(x, self.batch_axis))

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        batch = "" if self.batch_axis == 0 else f", batch_axis={self.batch_axis}"
        return super().extra_repr() + batch
