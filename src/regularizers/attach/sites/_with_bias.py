"""The bias that a penalty of groups reads beside the kernel of its module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from regularizers.attach.sites._parameter import Parameter
from regularizers.errors import RegimeError


@dataclass(frozen=True)
class WithBias:
    """Reads a kernel and a bias as one matrix, a row for each output: a group.

    Args:
        bias: the bias of the module; its groups are kernels alone while it is frozen or None.
        axis: the axis of the outputs in the kernel.
    """

    bias: Parameter
    axis: int

    def read(self, kernel: Tensor) -> Tensor:
        """Return the matrix, differentiable in both; (outputs, inputs and one for the bias).

        Raises:
            RegimeError: the kernel is sharded.
        """
        self.check_is_whole(kernel)
        return self.joined(kernel, self.bias.read() if self.bias.trainable else None)

    def check_is_whole(self, kernel: Tensor) -> None:
        """Raise if the kernel is sharded.

        Raises:
            RegimeError: it is.
        """
        if isinstance(kernel, DTensor):
            raise RegimeError(
                f"{self.bias.full_name}: with_bias=True joins kernel and bias, and these are "
                f"sharded (DTensor), which is not supported; use with_bias=False"
            )

    def joined(self, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """Return two tensors of their shapes as one matrix; that of the kernel alone without."""
        rows = kernel.movedim(self.axis, 0).flatten(1)
        return rows if bias is None else torch.cat([rows, bias.unsqueeze(1)], dim=1)

    def parts(self, matrix: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the parts of a matrix, in the shapes of the kernel and the bias."""
        moved = kernel.movedim(self.axis, 0)
        inputs = moved[:1].numel()
        rows = matrix[:, :inputs].reshape(moved.shape).movedim(0, self.axis)
        return rows, matrix[:, inputs:].squeeze(1)
