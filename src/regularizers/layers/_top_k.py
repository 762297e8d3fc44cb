"""TopK: the largest units of each sample, as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regularizers.functional.codes import check_k
from regularizers.layers._pre_activations import check_pre_activations


class TopK(nn.Module):
    r"""Returns relu of the k largest pre-activations of each sample, and zeros.

    .. math:: f_i = \max(0, z_i)\, 1[i \in \mathrm{top}_k(z)], \qquad
        \frac{\partial f_i}{\partial z_i} = 1[f_i > 0]

    It is `functional.top_k`, in training and in evaluation. Exactly k are selected; which of those
    that tie for the last place is PyTorch's choice.

    Args:
        k: how many are kept, at most the number of units. The attribute `k` may be set between
            steps.

    Shape:
        The output has the shape and type of the input, whose last axis numbers the units.

    Raises:
        ConfigurationError: a k that is no integer of 1 or more; in the forward, one above the
            number of units.
        ArrayTypeError: in the forward, an input that is not real floating point.
        ShapeError: in the forward, an input without axes.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> rz.layers.TopK(2)(torch.tensor([[3.0, 1.0, 2.0], [-1.0, 4.0, -2.0]]))
        tensor([[3., 0., 2.],
                [0., 4., 0.]])

    Source: Gao et al., "Scaling and evaluating sparse autoencoders", 2024,
    `arXiv:2406.04093 <https://arxiv.org/abs/2406.04093>`__.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        check_k(k)
        self.k = k

    def forward(self, z: Tensor) -> Tensor:
        """Return the k largest of each sample, where they are positive."""
        check_pre_activations(self, z)
        check_k(self.k, z.shape[-1])
        largest: Tensor = _Largest.apply(z, self.k)  # type: ignore[no-untyped-call]
        return largest

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"k={self.k}"


class _Largest(torch.autograd.Function):
    """The positive ones of the k largest along the last axis, and zeros."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, k: int) -> Tensor:
        values, places = z.topk(k, dim=-1, sorted=False)
        return torch.zeros_like(z).scatter_(-1, places, values.relu())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        return where_positive(cotangent, *ctx.saved_tensors), None


def where_positive(cotangent: Tensor, kept: Tensor) -> Tensor:
    """Return a cotangent with zeros where nothing is kept, in one pass."""
    selected: Tensor = torch.ops.aten.threshold_backward(cotangent, kept, 0)
    return selected
