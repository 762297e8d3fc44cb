"""A step at a threshold, whose gradient is that of a step smoothed over a window."""

from __future__ import annotations

from typing import NamedTuple

from regularizers.functional._code_settings import check_of_units
from regularizers.functional._constant import constant_of, differentiates
from regularizers.functional._noised import check_cotangent
from regularizers.penalties.arrays import (
    Array,
    Namespace,
    cast,
    check_positive,
    namespace_of,
    widen,
)


class GateGradients(NamedTuple):
    """The gradients of a gate, or of what a gate multiplies.

    Attributes:
        z: in the shape of the pre-activations.
        threshold: in the shape of the thresholds.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> gate = functional.step_gate(np.array([[0.52], [0.7]]), np.array([0.5]))
        >>> gradients = gate.vjp(np.ones((2, 1)))
        >>> gradients.threshold.round(6), gradients.z.ravel()  # 0.52 is within 0.05 of 0.5
        (array([-10.]), array([0., 0.]))
    """

    z: Array
    threshold: Array


class Gate(NamedTuple):
    """Which units are above their threshold, and which are near it.

    Attributes:
        y: 1[z > θ], exactly 0 or 1, in the shape and type of z.
        window: `1[|z − θ| < ε/2]`, boolean, in the shape of z.
        threshold: θ, one for each unit.
        bandwidth: ε, in the units of z.
        input_gradient: whether z has the gradient of the smoothed step.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> gate = functional.step_gate(np.array([0.3, 0.52, 0.7]), np.full(3, 0.5))
        >>> gate.y, gate.window
        (array([0., 1., 1.]), array([False,  True, False]))
    """

    y: Array
    window: Array
    threshold: Array
    bandwidth: float
    input_gradient: bool

    def vjp(self, cotangent: Array, /) -> GateGradients:
        r"""Return the pseudo-gradients for z and θ, given the gradient for y.

        .. math:: \bar\theta = -\frac{1}{\varepsilon}
            \sum_n \bar y_n\, 1[|z_n - \theta| < \varepsilon/2]

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        xp = namespace_of(cotangent)
        inside = in_window(xp, cotangent, self.window)
        given = inside / self.bandwidth if self.input_gradient else xp.zeros_like(inside)
        return GateGradients(
            cast(given, self.y.dtype), of_threshold(xp, -inside / self.bandwidth, self.threshold)
        )


def step_gate(
    z: Array, threshold: Array, bandwidth: float = 0.1, *, input_gradient: bool = False
) -> Gate:
    r"""Return 1 where a pre-activation is above the threshold of its unit, else 0.

    .. math:: g = 1[z > \theta], \qquad
        \frac{\partial g}{\partial\theta} = -\frac{1}{\varepsilon} 1[|z - \theta| < \varepsilon/2],
        \qquad \frac{\partial g}{\partial z} = 0

    The derivative of a step is 0 wherever it has one. This is that of its expectation, if the
    threshold is shifted at random by up to ε/2 to both sides; in the mean over samples it estimates
    the density of z at θ. PyTorch and JAX differentiate y to it, as `vjp` gives it.

    Args:
        z: pre-activations, an array of a real floating type whose last axis numbers the units.
        threshold: θ, one for each unit. z and θ are compared in the type that holds both.
        bandwidth: ε, the width of the window, in the units of z.
        input_gradient: whether z has the gradient, too, with the opposite sign.

    Returns:
        `(y, window, ...)`, whose `vjp` takes a cotangent of y to the gradients for z and θ.

    Shape:
        y and window: that of z; threshold: the length of the last axis of z.

    Raises:
        ConfigurationError: a bandwidth that is not finite and above 0.
        ArrayTypeError: an array that is not real floating point.
        ShapeError: thresholds of another number than the units.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> gate = functional.step_gate(np.array([[0.52, 0.3], [0.7, 0.6]]), np.array([0.5, 0.5]))
        >>> gate.y
        array([[1., 0.],
               [1., 1.]])
        >>> gate.vjp(np.ones((2, 2))).threshold.round(6)
        array([-10.,   0.])

    Source: Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with JumpReLU
    sparse autoencoders", 2024, `arXiv:2407.14435 <https://arxiv.org/abs/2407.14435>`__.
    """
    xp = namespace_of(z)
    namespace_of(threshold, "threshold")
    bandwidth = check_positive(bandwidth, "bandwidth")
    check_of_units(threshold, z, "threshold")
    plain, at = constant_of(z), constant_of(threshold)
    y = cast(plain > at, z.dtype)
    window = xp.abs(plain - at) < bandwidth / 2
    if differentiates(z):
        shift = xp.where(window, z - plain, xp.zeros_like(z)) if input_gradient else 0
        inside = cast(window, threshold.dtype)
        y = y + cast((shift - (threshold - at)) * inside / bandwidth, z.dtype)
    return Gate(y, window, at, bandwidth, input_gradient)


def in_window(xp: Namespace, cotangent: Array, window: Array) -> Array:
    """Return a cotangent with zeros outside of the window, at least in float32."""
    wide = widen(xp, cotangent)
    return xp.where(window, wide, xp.zeros_like(wide))


def of_threshold(xp: Namespace, elements: Array, threshold: Array) -> Array:
    """Return the sum over samples, in the type of the thresholds."""
    return cast(xp.sum(elements, axis=tuple(range(elements.ndim - 1))), threshold.dtype)
