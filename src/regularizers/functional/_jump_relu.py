"""JumpReLU: units above their threshold, as they are, and zeros."""

from __future__ import annotations

from typing import NamedTuple

from regularizers.functional._constant import constant_of, differentiates
from regularizers.functional._noised import check_cotangent
from regularizers.functional._step_gate import (
    Gate,
    GateGradients,
    in_window,
    of_threshold,
    step_gate,
)
from regularizers.penalties.arrays import Array, cast, namespace_of, widen


class Jumped(NamedTuple):
    """The output of a JumpReLU, and its gate.

    Attributes:
        y: z·1[z > θ], in the shape and type of z.
        gate: which units are above their threshold.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> jumped = functional.jump_relu(np.array([0.3, 0.52, 0.7]), np.full(3, 0.5))
        >>> jumped.y, jumped.gate.y
        (array([0.  , 0.52, 0.7 ]), array([0., 1., 1.]))
        >>> jumped.vjp(np.ones(3)).z
        array([0., 1., 1.])
    """

    y: Array
    gate: Gate

    def vjp(self, cotangent: Array, /) -> GateGradients:
        r"""Return the gradient for z and the pseudo-gradient for θ, given the gradient for y.

        .. math:: \bar z = \bar y\, 1[z > \theta], \qquad \bar\theta = -\frac{\theta}{\varepsilon}
            \sum_n \bar y_n\, 1[|z_n - \theta| < \varepsilon/2]

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        xp, gate = namespace_of(cotangent), self.gate
        wide = widen(xp, cotangent)
        slope = in_window(xp, wide * gate.threshold, gate.window) / gate.bandwidth
        given = wide * cast(constant_of(gate.y), wide.dtype)
        return GateGradients(
            cast(given + slope if gate.input_gradient else given, self.y.dtype),
            of_threshold(xp, -slope, gate.threshold),
        )


def jump_relu(
    z: Array, threshold: Array, bandwidth: float = 0.1, *, input_gradient: bool = False
) -> Jumped:
    r"""Return pre-activations that are above the threshold of their unit, and zeros for the others.

    .. math:: f = z\, 1[z > \theta], \qquad \frac{\partial f}{\partial z} = 1[z > \theta], \qquad
        \frac{\partial f}{\partial\theta}
        = -\frac{\theta}{\varepsilon} 1[|z - \theta| < \varepsilon/2]

    The gradient for θ is that of `step_gate`, times the height θ of the jump. PyTorch and JAX
    differentiate y to these gradients, as `vjp` gives them.

    Args:
        z: pre-activations, an array of a real floating type whose last axis numbers the units.
        threshold: θ, one for each unit. z and θ are compared in the type that holds both.
        bandwidth: ε, the width of the window, in the units of z.
        input_gradient: whether z has the gradient of the jump, too: θ/ε within the window.

    Returns:
        `(y, gate)`, whose `vjp` takes a cotangent of y to the gradients for z and θ.

    Shape:
        y: that of z; threshold: the length of the last axis of z.

    Raises:
        ConfigurationError: a bandwidth that is not finite and above 0.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: thresholds of another number than the units.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> z, threshold = np.array([[0.52, 0.3], [0.7, 0.6]]), np.array([0.5, 0.5])
        >>> jumped = functional.jump_relu(z, threshold)
        >>> jumped.y
        array([[0.52, 0.  ],
               [0.7 , 0.6 ]])
        >>> jumped.vjp(np.ones((2, 2))).threshold.round(6)
        array([-5.,  0.])

    Source: Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with JumpReLU
    sparse autoencoders", 2024, `arXiv:2407.14435 <https://arxiv.org/abs/2407.14435>`__.
    """
    gate = step_gate(z, threshold, bandwidth, input_gradient=input_gradient)
    on = constant_of(gate.y)
    y = z * on
    if differentiates(z):
        # 0 in value: the gate's gradient, times the height of the jump
        y = y + cast((gate.y - on) * gate.threshold, z.dtype)
    return Jumped(y, gate)
