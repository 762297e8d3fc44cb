"""Dropout of squares of feature maps."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch
from torch import Tensor

from regularizers.errors import ShapeError
from regularizers.functional.noise import block_noise, check_block_size
from regularizers.layers._noise import NoiseLayer, noise_dtype


class DropBlock2d(NoiseLayer):
    """Drops squares of feature maps: a single element could be inferred from its neighbours.

    It is `functional.drop_block` in training, with PyTorch's own generator, and the identity in
    evaluation.

    Args:
        rate: the fraction that is dropped, in [0, 1); slightly less, since squares may overlap.
        block_size: the side of a square; a square larger than the map is cut to its shorter side.

    Shape:
        (N, C, H, W) or (C, H, W). The output has the shape and type of the input.

    Raises:
        ConfigurationError: a rate outside [0, 1), or a block size below 1.
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
    arXiv 1810.12890.
    """

    def __init__(self, rate: float, block_size: int = 7) -> None:
        super().__init__(rate)
        check_block_size(block_size)
        self.block_size = block_size

    def noise(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4):
            raise ShapeError(
                f"DropBlock2d: expected an input of shape (N, C, H, W) or (C, H, W), "
                f"got {tuple(x.shape)}"
            )
        u = torch.rand(x.shape, dtype=noise_dtype(x), device=x.device)
        if x.numel() == 0:
            return u
        noise: Tensor = block_noise(xp, u, self.rate, self.block_size)
        return noise

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"{super().extra_repr()}, block_size={self.block_size}"
