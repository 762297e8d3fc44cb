"""The three classic activity penalties as one value object."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from regularizers.errors import ConfigurationError
from regularizers.penalties._formula import Formula
from regularizers.penalties._l1 import L1
from regularizers.penalties._l2 import L2Norm, L2Squared
from regularizers.penalties._penalty import Reduced
from regularizers.penalties.strength import StrengthLike, as_strength, scales

Norm: TypeAlias = Literal["l1", "l2", "l2_squared"]

_PENALTIES: dict[str, type[L1 | L2Norm | L2Squared]] = {
    "l1": L1,
    "l2": L2Norm,
    "l2_squared": L2Squared,
}


@dataclass(frozen=True, repr=False)
class ActivityRegularization(Reduced):
    r"""L1, L2 norm or squared L2, chosen by name.

    ============== =========== ============================
    norm           penalty     value
    ============== =========== ============================
    `"l1"`         `L1`        :math:`s \sum |x|`
    `"l2"`         `L2Norm`    :math:`s \sqrt{\sum x^2}`
    `"l2_squared"` `L2Squared` :math:`s \sum x^2`
    ============== =========== ============================

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        norm: which of the three: `"l1"`, `"l2"` or `"l2_squared"`.
        reduce: `"sum"`, `"batch_mean"` or `"mean"`, as the penalty named reads it. None: a sum on
            arrays and weights, `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: another norm.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> x, grads = np.array([3.0, -4.0]), np.ones(2)
        >>> float(rz.ActivityRegularization.l2(0.1).apply(x, grads))
        0.5
        >>> grads
        array([1.06, 0.92])
    """

    strength: StrengthLike
    norm: Norm

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "strength", as_strength(self.strength))
        if not isinstance(self.norm, str) or self.norm not in _PENALTIES:
            raise ConfigurationError(
                f"norm: expected one of {', '.join(map(repr, _PENALTIES))}, got {self.norm!r}"
            )

    @classmethod
    def l1(cls, strength: StrengthLike) -> Self:
        """Return the penalty `s·Σ|x|`.

        Args:
            strength: s, finite and not negative; a number, a schedule or a target.
        """
        return cls(strength, "l1")

    @classmethod
    def l2(cls, strength: StrengthLike) -> Self:
        """Return the penalty `s·√Σx²`, the norm itself.

        Args:
            strength: s, finite and not negative; a number, a schedule or a target.
        """
        return cls(strength, "l2")

    @classmethod
    def l2_squared(cls, strength: StrengthLike) -> Self:
        """Return the penalty `s·Σx²`.

        Args:
            strength: s, finite and not negative; a number, a schedule or a target.
        """
        return cls(strength, "l2_squared")

    @property
    def terms(self) -> tuple[Formula, ...]:
        penalty = _PENALTIES[self.norm]
        return (penalty(self.strength, reduce=self.reduce, batch_axis=self.batch_axis),)

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        return dataclasses.replace(self, strength=as_strength(self.strength) * factor)
