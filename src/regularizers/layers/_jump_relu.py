"""JumpReLU: units above a threshold of their own, as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regularizers.layers._step_gate import StepGate


class JumpReLU(nn.Module):
    r"""Returns pre-activations that are above the threshold of their unit, and zeros.

    .. math:: f = z\, 1[z > \theta], \qquad \frac{\partial f}{\partial z} = 1[z > \theta], \qquad
        \frac{\partial f}{\partial\theta}
        = -\frac{\theta}{\varepsilon} 1[|z - \theta| < \varepsilon/2]

    It is `functional.jump_relu`, as z times its submodule `gate`, a `StepGate`, which has the
    thresholds. The gate is the site of a penalty of the number of active units:
    `rz.activity(rz.L0(rz.TargetActive(32)), where="coding.gate")`. That penalty moves thresholds
    alone.

    `rz.constraint(rz.NonNegative(), where="coding.gate.threshold")` keeps thresholds at 0 or more.

    Args:
        units: the length of the last axis of the input.
        threshold: θ at first, of every unit, 0 or more, in the units of z.
        bandwidth: ε, the width of the window in which thresholds have a gradient, in the units of
            z.
        input_gradient: whether z has the gradient of the jump, too: θ/ε within the window.

    Shape:
        The output has the shape and type of the input; `threshold`: (units,).

    Raises:
        ConfigurationError: units, a threshold or a bandwidth that cannot be.
        ArrayTypeError: in the forward, an input that is not real floating point.
        ShapeError: in the forward, another number of units.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> jump = rz.layers.JumpReLU(2, threshold=0.5)
        >>> f = jump(torch.tensor([[0.52, 0.3], [0.7, 0.6]]))
        >>> f
        tensor([[0.5200, 0.0000],
                [0.7000, 0.6000]], grad_fn=<_ProductBackward>)
        >>> f.sum().backward()
        >>> jump.threshold.grad
        tensor([-5., -0.])

    Source: Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with JumpReLU
    sparse autoencoders", 2024, `arXiv:2407.14435 <https://arxiv.org/abs/2407.14435>`__.
    """

    def __init__(
        self,
        units: int,
        threshold: float = 0.1,
        bandwidth: float = 0.1,
        *,
        input_gradient: bool = False,
    ) -> None:
        super().__init__()
        self.gate = StepGate(units, threshold, bandwidth, input_gradient=input_gradient)

    @property
    def threshold(self) -> nn.Parameter:
        """θ, the parameter of the gate."""
        return self.gate.threshold

    @property
    def units(self) -> int:
        """The length of the last axis."""
        return self.gate.units

    def forward(self, z: Tensor) -> Tensor:
        """Return `z` where it is above the threshold, else 0."""
        product: Tensor = _Product.apply(z, self.gate(z), self.threshold)  # type: ignore[no-untyped-call]
        return product


class _Product(torch.autograd.Function):
    """Pre-activations times their gate, whose gradient is taken at the threshold.

    The jump of the product is θ high: the gradient for the gate is θ times that of the product, not
    z times.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, gate: Tensor, threshold: Tensor) -> Tensor:
        return z * gate

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, gate, threshold = inputs
        ctx.save_for_backward(gate, threshold.detach())

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        gate, threshold = ctx.saved_tensors
        of_z, of_gate = ctx.needs_input_grad[:2]
        return (
            cotangent * gate if of_z else None,
            (cotangent * threshold).to(cotangent.dtype) if of_gate else None,
            None,
        )
