"""A gate: 1 above a threshold for each unit and 0 below, with a straight-through gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from regularizers.functional.codes import check_units
from regularizers.layers._pre_activations import check_pre_activations, lie_in_rows, rows
from regularizers.penalties.arrays import check_not_negative, check_positive


class StepGate(nn.Module):
    r"""Returns 1 where a pre-activation is above the threshold of its unit, else 0.

    .. math:: g = 1[z > \theta], \qquad
        \frac{\partial g}{\partial\theta} = -\frac{1}{\varepsilon} 1[|z - \theta| < \varepsilon/2],
        \qquad \frac{\partial g}{\partial z} = 0

    It is `functional.step_gate`. A gate is what `rz.L0` penalises and what a target of active units
    counts. It states where its gradient is not 0, `pseudo_gradient_window`, since the scale of a
    target's strength is measured there.

    Thresholds of 0 or more make sense. A step of the optimizer may take them below. A rule that
    names them keeps them: `rz.constraint(rz.NonNegative(), where="coding.gate.threshold")`.

    Args:
        units: the length of the last axis of the input.
        threshold: θ at first, of every unit, 0 or more, in the units of z.
        bandwidth: ε, the width of the window, in the units of z.
        input_gradient: whether z has the gradient, too, with the opposite sign.

    Shape:
        The output has the shape and type of the input; `threshold`: (units,).

    Raises:
        ConfigurationError: units, a threshold or a bandwidth that cannot be.
        ArrayTypeError: in the forward, an input that is not real floating point.
        ShapeError: in the forward, another number of units.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> gate = rz.layers.StepGate(2, threshold=0.5)
        >>> gate(torch.tensor([[0.52, 0.3], [0.7, 0.6]])).sum().backward()
        >>> gate.threshold.grad
        tensor([-10.,  -0.])

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
        self.units = check_units(units)
        self.bandwidth = check_positive(bandwidth, "bandwidth")
        self.input_gradient = bool(input_gradient)
        initial = check_not_negative(threshold, "threshold")
        self.threshold = nn.Parameter(torch.full((units,), initial))

    def forward(self, z: Tensor) -> Tensor:
        """Return the gate of `z`, exactly 0 or 1."""
        check_pre_activations(self, z, self.units)
        gate: Tensor = _Step.apply(z, self.threshold, self.bandwidth, self.input_gradient)  # type: ignore[no-untyped-call]
        return gate

    def pseudo_gradient_window(self, z: Tensor) -> Tensor:
        """Return where the pseudo-gradient is not 0, a boolean tensor of the shape of `z`."""
        return _window(z.detach(), self.threshold.detach(), self.bandwidth)

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        own = ", input_gradient=True" if self.input_gradient else ""
        return f"units={self.units}, bandwidth={self.bandwidth}{own}"


class _Step(torch.autograd.Function):
    """The step at a threshold, with the gradient of one that is smoothed over a window."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, threshold: Tensor, width: float, input_gradient: bool) -> Tensor:
        if lie_in_rows(z) and z.dtype == threshold.dtype:
            return torch.gt(z, threshold, out=torch.empty_like(z))  # in one pass, no booleans
        return (z > threshold).to(z.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        z, threshold, ctx.width, ctx.input_gradient = inputs
        ctx.save_for_backward(z, threshold)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        z, threshold = ctx.saved_tensors
        of_z, of_threshold = ctx.needs_input_grad[:2]
        if not (of_z and ctx.input_gradient):
            total = sum_in_window(cotangent, z, threshold, ctx.width) if of_threshold else None
            return None, None if total is None else total / -ctx.width, None, None
        inside = torch.where(_window(z, threshold, ctx.width), cotangent, 0) / ctx.width
        return inside, -_sum_of_samples(inside).to(threshold.dtype), None, None


def sum_in_window(cotangent: Tensor, z: Tensor, threshold: Tensor, width: float) -> Tensor:
    """Return the sum over samples of a cotangent where z is in the window, one for each unit."""
    if not (lie_in_rows(z, cotangent) and z.dtype == threshold.dtype):
        inside = torch.where(_window(z, threshold, width), cotangent, 0)
        return _sum_of_samples(inside).to(threshold.dtype)
    total, half = torch.zeros_like(threshold), width / 2
    selected = torch.ops.aten.hardtanh_backward.grad_input  # 0 unless -half < distance < half
    for of_z, part, buffer in rows(z, cotangent):
        distance = torch.sub(of_z, threshold, out=buffer)
        total += selected(part, distance, -half, half, grad_input=distance).sum(dim=0)
    return total


def _window(z: Tensor, threshold: Tensor, width: float) -> Tensor:
    return (z - threshold).abs() < width / 2


def _sum_of_samples(elements: Tensor) -> Tensor:
    wide = elements.to(torch.promote_types(elements.dtype, torch.float32))
    return wide.reshape(-1, wide.shape[-1]).sum(dim=0)
