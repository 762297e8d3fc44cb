"""How much states change over time, and how large they are: AR and TAR of language models."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

from regularizers.errors import ConfigurationError
from regularizers.penalties._difference import Difference
from regularizers.penalties._formula import Formula
from regularizers.penalties._l2 import L2Squared
from regularizers.penalties._penalty import Penalty
from regularizers.penalties.arrays import check_axis
from regularizers.penalties.strength import StrengthLike, as_strength, scales


@dataclass(frozen=True, repr=False)
class Temporal(Penalty):
    r"""Any penalty of the differences between successive steps of time.

    .. math:: p(x) = q(d), \qquad d_t = x_{t+1} - x_t

    Everything that q counts it counts of differences: with a mask, of those whose two steps are
    valid. A sequence of length 1 has none and gives 0.

    Args:
        penalty: q, the penalty of the differences.
        time_axis: the axis of time; it is no batch axis. None where a recurrent layer says it.

    Raises:
        ConfigurationError: no penalty, one that is temporal already, of gates, or of weights by
            their role; called on an array, no axis of time.
        ShapeError: called on an array, an axis it has not or that is a batch axis; a length of 0.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> states = np.array([[1.0, 2.0, 4.0]])  # one sequence of three steps
        >>> float(rz.Temporal(rz.L1(1.0), time_axis=1)(states))
        3.0
    """

    penalty: Penalty
    time_axis: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, Penalty):
            raise ConfigurationError(
                f"Temporal: expected a penalty such as L1(1e-3), got {self.penalty!r} "
                f"of type {type(self.penalty).__name__}"
            )
        if any(isinstance(term, Difference) for term in self.penalty.terms):
            raise ConfigurationError(
                f"Temporal: expected a penalty of single states, got {self.penalty!r}"
            )
        if any(term.for_gates_only for term in self.penalty.terms):
            raise ConfigurationError(
                f"Temporal: expected a penalty of differences, got {self.penalty!r}, whose sum "
                f"over changes of gates is that of the last less the first; L1 counts the changes"
            )
        if any(term.by_role for term in self.penalty.terms):
            raise ConfigurationError(
                f"Temporal: expected a penalty of outputs, got {self.penalty!r}, whose axis only "
                f"the weight of a module has; say the number of the axis"
            )
        if self.time_axis is not None:
            check_axis(self.time_axis, "time_axis")

    @property
    def terms(self) -> tuple[Formula, ...]:
        return tuple([Difference.between(term, self.time_axis) for term in self.penalty.terms])

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        return dataclasses.replace(self, penalty=self.penalty * factor)


@dataclass(frozen=True, repr=False)
class AR(Penalty):
    r"""Activation regularization: the mean of the squares of the states.

    .. math:: p(h) = \alpha\, \overline{h^2}

    The published language model takes it of the output after dropout. It is
    `L2Squared(alpha, reduce="mean")`.

    Args:
        alpha: α, finite and not negative; a number, a schedule or a target.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> float(rz.AR(2.0)(np.array([[1.0, 3.0]])))
        10.0

    Source: Merity, McCann and Socher, "Revisiting activation regularization for language RNNs",
    2017, `arXiv:1708.01009 <https://arxiv.org/abs/1708.01009>`__.
    """

    alpha: StrengthLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", as_strength(self.alpha, "alpha"))

    @property
    def terms(self) -> tuple[Formula, ...]:
        return (L2Squared(self.alpha, reduce="mean"),)

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        return dataclasses.replace(self, alpha=as_strength(self.alpha) * factor)


@dataclass(frozen=True, repr=False)
class TAR(Penalty):
    r"""Temporal activation regularization: the mean of the squares of what changes.

    .. math:: p(h) = \beta\, \overline{(h_{t+1} - h_t)^2}

    The published language model takes it of the output before dropout. It is
    `Temporal(L2Squared(beta, reduce="mean"))`; with a mask the mean is over valid pairs.

    Args:
        beta: β, finite and not negative; a number, a schedule or a target.
        time_axis: the axis of time. None where a recurrent layer says it.

    Raises:
        ConfigurationError: called on an array, no axis of time.
        ShapeError: called on an array, an axis it has not or that is a batch axis; a length of 0.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> float(rz.TAR(1.0, time_axis=1)(np.array([[1.0, 3.0, 3.0]])))
        2.0

    Source: as of `AR`.
    """

    beta: StrengthLike
    time_axis: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", as_strength(self.beta, "beta"))
        if self.time_axis is not None:
            check_axis(self.time_axis, "time_axis")

    @property
    def terms(self) -> tuple[Formula, ...]:
        return Temporal(L2Squared(self.beta, reduce="mean"), self.time_axis).terms

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        return dataclasses.replace(self, beta=as_strength(self.beta) * factor)
