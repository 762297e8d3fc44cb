"""Dropout by one mask along the stated axes."""

from __future__ import annotations

from torch import Tensor

from regularizers.functional.noise import check_shared_axes, shared_shape
from regularizers.layers._noise import RatedNoise
from regularizers.penalties.arrays import Axes


class SharedDropout(RatedNoise):
    """Drops elements by a mask that is the same along the stated axes.

    It is `functional.shared_dropout` in training, with PyTorch's own generator, and the identity in
    evaluation. `LockedDropout` is the case of one axis, that of time.

    Args:
        rate: the fraction that is dropped, in [0, 1).
        axes: the axes along which the mask is the same, by number; negative ones count from the
            end. The batch axis is one of them if it is stated: all samples then lose the same.
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or axes that are no integers.
        ShapeError: in the forward, an axis that the input does not have.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> rz.layers.SharedDropout(p=0.5, axes=(-2, -1))(torch.ones(2, 3, 1, 2))[:, :, 0]
        tensor([[[0., 0.],
                 [2., 2.],
                 [0., 0.]],
        <BLANKLINE>
                [[0., 0.],
                 [0., 0.],
                 [2., 2.]]])

    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015,
    `arXiv:1411.4280 <https://arxiv.org/abs/1411.4280>`__; Keras' `Dropout(noise_shape=...)`.
    """

    def __init__(
        self, rate: float | None = None, axes: Axes | None = None, *, p: float | None = None
    ) -> None:
        super().__init__(rate, p=p)
        check_shared_axes(axes)
        self.axes: Axes = axes  # type: ignore[assignment]

    def noise(self, x: Tensor) -> Tensor:
        return self.mask(x, shared_shape(x, self.axes))

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"{super().extra_repr()}, axes={self.axes}"
