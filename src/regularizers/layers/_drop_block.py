"""Dropout of squares of feature maps."""

from __future__ import annotations

import array_api_compat.torch as xp
from torch import Tensor

from regularizers.errors import ShapeError
from regularizers.functional.noise import block_noise, check_block_size
from regularizers.layers._noise import RatedNoise, uniform


class DropBlock2d(RatedNoise):
    """Drops squares of feature maps: a single element could be inferred from its neighbours.

    It is `functional.drop_block` in training, with PyTorch's own generator, and the identity in
    evaluation.

    Args:
        rate: the fraction that is dropped, in [0, 1); slightly less, since squares may overlap.
        block_size: the side of a square; a square larger than the map is cut to its shorter side.
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        (N, C, H, W) or (C, H, W). The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or a block size below 1.
        ShapeError: in the forward, an input of neither three nor four dimensions.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> (rz.layers.DropBlock2d(0.3, block_size=2)(torch.ones(1, 4, 6)) > 0).int()
        tensor([[[1, 1, 0, 0, 1, 1],
                 [1, 1, 0, 0, 1, 1],
                 [0, 0, 1, 1, 1, 1],
                 [0, 0, 1, 1, 1, 1]]], dtype=torch.int32)

    Source: Ghiasi, Lin, Le, "DropBlock: a regularization method for convolutional networks", 2018,
    `arXiv:1810.12890 <https://arxiv.org/abs/1810.12890>`__.
    """

    def __init__(
        self, rate: float | None = None, block_size: int = 7, *, p: float | None = None
    ) -> None:
        super().__init__(rate, p=p)
        check_block_size(block_size)
        self.block_size = block_size

    def noise(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4):
            raise ShapeError(
                f"DropBlock2d: expected an input of shape (N, C, H, W) or (C, H, W), "
                f"got {tuple(x.shape)}"
            )
        u = uniform(x, x.shape)
        if x.numel() == 0:
            return u
        noise: Tensor = block_noise(xp, u, self.rate, self.block_size)
        return noise

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"{super().extra_repr()}, block_size={self.block_size}"
