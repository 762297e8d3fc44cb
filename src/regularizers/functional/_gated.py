"""Gated units: one bias decides whether a unit is active, a scale and another bias how much."""

from __future__ import annotations

from typing import NamedTuple

from regularizers.functional._code_settings import check_of_units
from regularizers.functional._constant import constant_of
from regularizers.functional._noised import check_cotangent
from regularizers.functional._step_gate import of_threshold
from regularizers.penalties.arrays import Array, cast, namespace_of, widen


class GatedGradients(NamedTuple):
    """The gradients of gated units.

    Attributes:
        x: the gradient for x, in its shape and type.
        gate_bias: the gradient for b_gate, one for each unit.
        log_scale: the gradient for r, one for each unit.
        bias: the gradient for b_mag, one for each unit.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x, zeros = np.array([[2.0, -1.0]]), np.zeros(2)
        >>> units = functional.gated(x, gate_bias=zeros, log_scale=zeros, bias=zeros)
        >>> gradients = units.vjp(np.ones((1, 2)))
        >>> gradients.log_scale, gradients.bias
        (array([2., 0.]), array([1., 0.]))
        >>> gradients.gate_bias  # the step of the gate has no gradient
        array([0., 0.])
    """

    x: Array
    gate_bias: Array
    log_scale: Array
    bias: Array


class GatedUnits(NamedTuple):
    """The output of gated units, and their gate.

    Attributes:
        y: 1[π > 0]·relu(magnitude), in the shape and type of x.
        gate: relu(π), in the shape and type of x.
        x: the pre-activations that were given.
        log_scale: r, one for each unit.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x, zeros = np.array([[2.0, -1.0]]), np.zeros(2)
        >>> units = functional.gated(x, np.array([-0.5, 0.0]), zeros, zeros)
        >>> units.y, units.gate
        (array([[2., 0.]]), array([[1.5, 0. ]]))
        >>> units.vjp(np.zeros((1, 2)), np.ones((1, 2))).gate_bias
        array([1., 0.])
    """

    y: Array
    gate: Array
    x: Array
    log_scale: Array

    def vjp(self, cotangent: Array, gate: Array | None = None, /) -> GatedGradients:
        r"""Return the gradients, given those for y and for relu(π).

        .. math:: \bar b_{mag} = \sum \bar y\, 1[y > 0], \qquad
            \bar r = e^r \sum \bar y\, x\, 1[y > 0], \qquad
            \bar x = e^r \bar y\, 1[y > 0] + \bar g\, 1[\pi > 0]

        Args:
            cotangent: the gradient of the loss for y, in the shape of y.
            gate: that for relu(π), likewise; None for zeros.

        Raises:
            ShapeError: a cotangent of another shape.
        """
        check_cotangent(self.y, cotangent)
        xp, x = namespace_of(cotangent), constant_of(self.x)
        wide = widen(xp, cotangent)
        on = xp.where(constant_of(self.y) > 0, wide, xp.zeros_like(wide))
        opened = xp.zeros_like(wide)
        if gate is not None:
            check_cotangent(self.gate, gate)
            opened = xp.where(constant_of(self.gate) > 0, widen(xp, gate), opened)
        scale = xp.exp(constant_of(self.log_scale))
        return GatedGradients(
            cast(on * scale + opened, self.x.dtype),
            of_threshold(xp, opened, self.log_scale),
            of_threshold(xp, on * x * scale, self.log_scale),
            of_threshold(xp, on, self.log_scale),
        )


def gated(x: Array, gate_bias: Array, log_scale: Array, bias: Array) -> GatedUnits:
    r"""Return how much units are active, where their gate is open, and zeros.

    .. math:: \pi = x + b_{gate}, \qquad f = 1[\pi > 0]\, \max(0, e^r x + b_{mag})

    The step has no gradient: what trains the gate is a penalty of relu(π) and a reconstruction from
    it, which the result returns as `gate`.

    Args:
        x: W x, pre-activations without a bias, an array of a real floating type whose last axis
            numbers the units.
        gate_bias: b_gate, one for each unit.
        log_scale: r, one for each unit.
        bias: b_mag, one for each unit.

    Returns:
        `(y, gate, ...)`, whose `vjp` takes cotangents of y and gate to the gradients.

    Shape:
        y, gate: that of x; the others: the length of the last axis of x.

    Raises:
        ArrayTypeError: an array that is not real floating point.
        ShapeError: another number of biases or scales than of units.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> zeros = np.zeros(3)
        >>> x, gate_bias = np.array([[0.5, 0.5, -1.0]]), np.array([-1.0, 0.0, 0.0])
        >>> functional.gated(x, gate_bias, zeros, zeros).y
        array([[0. , 0.5, 0. ]])

    Source: Rajamanoharan et al., "Improving dictionary learning with gated sparse autoencoders",
    2024, `arXiv:2404.16014 <https://arxiv.org/abs/2404.16014>`__.
    """
    xp = namespace_of(x)
    for values, name in ((gate_bias, "gate_bias"), (log_scale, "log_scale"), (bias, "bias")):
        namespace_of(values, name)
        check_of_units(values, x, name)
    opened = _relu(x + gate_bias)
    magnitude = _relu(xp.exp(log_scale) * x + bias)
    y = magnitude * cast(constant_of(opened) > 0, magnitude.dtype)
    return GatedUnits(cast(y, x.dtype), cast(opened, x.dtype), x, log_scale)


def _relu(x: Array) -> Array:
    xp = namespace_of(x)
    return xp.where(constant_of(x) <= 0, xp.zeros_like(x), x)  # NaN is kept
