"""Variational dropout of sequences."""

from __future__ import annotations

from typing import overload

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.functional.noise import shared_shape
from regularizers.layers._noise import RatedNoise


class LockedDropout(RatedNoise):
    r"""Drops the same units of a sequence at every time step, and others in each sequence.

    .. math:: y_t = \frac{m}{1 - r} \odot x_t, \qquad m_i \sim \mathrm{Bernoulli}(1 - r)

    It is `functional.locked_dropout` in training, with PyTorch's own generator, and the identity in
    evaluation: `SharedDropout` along the axis of time, for packed sequences too. Shapes are read as
    `nn.LSTM` reads them.

    Args:
        rate: r, the fraction of units that is dropped, in [0, 1).
        batch_first: whether sequences are (batch, time, units) rather than (time, batch, units).
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        (time, batch, units), with `batch_first` (batch, time, units), or one sequence without a
        batch, (time, units) either way; or a `PackedSequence`, for which a seed gives the mask it
        gives for the padded sequences. The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or a `batch_first` that is
            not a boolean.
        ShapeError: in the forward, an input of neither two nor three dimensions.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> rz.layers.LockedDropout(0.5, batch_first=True)(torch.ones(2, 3, 4))
        tensor([[[0., 2., 0., 0.],
                 [0., 2., 0., 0.],
                 [0., 2., 0., 0.]],
        <BLANKLINE>
                [[0., 2., 0., 2.],
                 [0., 2., 0., 2.],
                 [0., 2., 0., 2.]]])

    Source: Gal, Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks", 2016, `arXiv:1512.05287 <https://arxiv.org/abs/1512.05287>`__; Merity, Keskar,
    Socher, "Regularizing and optimizing LSTM language models", 2017,
    `arXiv:1708.02182 <https://arxiv.org/abs/1708.02182>`__.
    """

    def __init__(
        self, rate: float | None = None, batch_first: bool = False, *, p: float | None = None
    ) -> None:
        super().__init__(rate, p=p)
        if not isinstance(batch_first, bool):
            raise ConfigurationError(
                f"batch_first: expected True or False, got {batch_first!r}; as for nn.LSTM"
            )
        self.batch_first = batch_first

    @overload
    def forward(self, x: Tensor) -> Tensor: ...
    @overload
    def forward(self, x: PackedSequence) -> PackedSequence: ...
    def forward(self, x: Tensor | PackedSequence) -> Tensor | PackedSequence:
        """Return `x` times the noise; in evaluation, or at a rate of 0, `x` itself."""
        if isinstance(x, Tensor):
            return super().forward(x)
        return self._packed(x) if self.draws else x

    def noise(self, x: Tensor) -> Tensor:
        if x.ndim not in (2, 3):
            expected = "(batch, time, units)" if self.batch_first else "(time, batch, units)"
            raise ShapeError(
                f"LockedDropout: expected an input of shape {expected} or (time, units), "
                f"got {tuple(x.shape)}"
            )
        return self.mask(x, shared_shape(x, -2 if self.batch_first else 0))

    def _packed(self, x: PackedSequence) -> PackedSequence:
        self.check(x.data)
        sizes = x.batch_sizes
        noise = self.mask(x.data, (int(sizes[0]), *x.data.shape[1:])).to(x.data.dtype)
        # drawn in the caller's order of sequences, then sorted by length like the packed data
        if x.sorted_indices is not None:
            noise = noise[x.sorted_indices]
        first_of_step = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
        sequence = torch.arange(len(x.data)) - first_of_step
        data = x.data * noise[sequence.to(x.data.device)]
        return PackedSequence(data, sizes, x.sorted_indices, x.unsorted_indices)

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return super().extra_repr() + (", batch_first=True" if self.batch_first else "")
