"""The control law: from what was measured in a step to the strength of the next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from regularizers.control._average import Average

QUIET = 1e-20
"""The strength while the law looks on: too weak to matter, enough for its pull to be measured."""

_LOOKING_ON = 10
_INTEGRAL = 0.1
_PROPORTIONAL = 2.0
_LARGEST_ERROR = 1.0
_SOFTENING = 0.01
_FIRST = (0.05, 0.2)  # times the scale
_LEAST = 1e-6  # times the scale


@dataclass
class Law:
    r"""Drives a measured quantity to a target by the strength of the penalty that pulls it down.

    The scale is the strength at which the penalty pulls as much as the loss does. With a the
    moving average of the quantity over 10 steps, s that of the scale over 20, and T the target,

    .. math:: e = \mathrm{clip}\left(\log\frac{a + 0.01\,T}{1.01\,T}, -1, 1\right), \qquad
        L \leftarrow \mathrm{clip}(L + 0.1\,e,\; \log 10^{-6} s,\; \log s), \qquad
        \lambda = e^{\min(L + 2e,\; \log s)}

    It looks on for ten steps, and begins at `initial`, brought between a twentieth and a fifth
    of the scale. No equilibrium lies above the scale, where the integral stops.

    Args:
        target: T, above 0.
        initial: where L begins, as a strength; not negative.
    """

    target: float
    initial: float
    strength: float = QUIET
    """λ."""
    integral: float | None = None
    """L, once the law has begun."""
    measured: Average = field(default_factory=lambda: Average(10))
    scale: Average = field(default_factory=lambda: Average(20))
    looked_on: int = 0

    @property
    def at_most(self) -> bool:
        """Whether the integral stands at the largest strength that can have an equilibrium."""
        return self.integral is not None and self.integral >= math.log(self.scale.mean)

    @property
    def at_least(self) -> bool:
        """Whether the integral stands where the penalty is as good as none."""
        return self.integral is not None and self.integral <= math.log(_LEAST * self.scale.mean)

    @property
    def error(self) -> float:
        """e: the logarithm of what is measured over what is wanted, softened and clipped."""
        ratio = (self.measured.mean / self.target + _SOFTENING) / (1 + _SOFTENING)
        return min(max(math.log(ratio), -_LARGEST_ERROR), _LARGEST_ERROR)

    def update(self, measured: float, scale: float) -> None:
        """Take what one step measured, and set the strength of the next.

        Args:
            measured: the quantity, in the units of the target. If it is not finite, the step says
                nothing.
            scale: the strength at which the penalty would have pulled as much as the loss did. If
                it is not finite or not above 0, the last steps' stands.
        """
        if not math.isfinite(measured):
            return
        self.measured.add(measured)
        if 0 < scale < math.inf:
            self.scale.add(scale)
            self.looked_on += 1
        if self.looked_on >= _LOOKING_ON:
            self._control(alive=measured > 0)

    def _control(self, *, alive: bool) -> None:
        s, e = self.scale.mean, self.error
        if self.integral is None:
            self.integral = math.log(min(max(self.initial, _FIRST[0] * s), _FIRST[1] * s))
        elif alive:  # where nothing is active, nothing says by how much to let go
            self.integral = min(self.integral + _INTEGRAL * e, math.log(s))
            self.integral = max(self.integral, math.log(_LEAST * s))
        self.strength = math.exp(min(self.integral + _PROPORTIONAL * e, math.log(s)))
