"""A penalty with one strength, written as its mathematics."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

from regularizers.penalties._formula import Formula
from regularizers.penalties._penalty import Penalty
from regularizers.penalties.strength import as_strength, scales


@dataclass(frozen=True, repr=False)
class Term(Penalty, Formula):
    r"""A penalty with one strength, which says its mathematics once, for a strength of 1.

    .. math:: p(x) = s\, v(t(x)), \qquad
        \frac{\partial p}{\partial x} = s\, v'(t)\, \frac{\partial t}{\partial x}

    The penalty is a function v (`value`) of a small statistic t (`statistic`) of the array. Its
    gradient follows by the chain rule: `pullback` of `derivative`. Only `statistic` and `pullback`
    read the array, in the precision to accumulate in, with zeros where a mask is False.

    To write a penalty, derive a frozen dataclass and declare

    - `statistic(x, frame)` and `pullback(x, saved, cotangent, frame)`, always;
    - `value(statistic, denominator, xp)` and `derivative(statistic, denominator, xp)` where the
      value is more than the statistic divided by the denominator, which is the default. One of
      these that does not read its denominator is divided by it all the same;
    - `stage` and `proximal_step(x, step, strength, frame)` if the proximal step is known;
    - settings as fields of the dataclass.

    For a sum over elements `Elementwise` is shorter. `regularizers.testing.check_penalty` checks
    what was written.

    A subclass of a penalty inherits no kernel, and no proximal step of another formula. The
    statistics of an array in several parts, such as a batch on several processes, add up in the
    form that `to_sum` gives them, and so do the denominators.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"`, `"batch_mean"` or `"mean"`. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: a formula of which half is another's; settings that cannot be.

    Example:
        >>> from dataclasses import dataclass
        >>> import numpy as np
        >>> import regularizers as rz
        >>> @dataclass(frozen=True)
        ... class Cauchy(rz.Term):
        ...     def statistic(self, x, frame):
        ...         return frame.xp.sum(frame.xp.log1p(x * x)), ()
        ...     def pullback(self, x, saved, cotangent, frame):
        ...         return cotangent * 2 * x / (1 + x * x)
        >>> Cauchy(0.5).gradient(np.array([1.0, -2.0]))
        array([ 0.5, -0.4])
    """

    @property
    def terms(self) -> tuple[Term, ...]:
        return (self,)

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        return dataclasses.replace(self, strength=as_strength(self.strength) * factor)
