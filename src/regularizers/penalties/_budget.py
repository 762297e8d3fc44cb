"""A penalty of which nothing is charged below a budget."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from regularizers.errors import ConfigurationError
from regularizers.penalties._difference import Difference
from regularizers.penalties._formula import Formula, Saves
from regularizers.penalties._penalty import Penalty
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    Reduce,
    check_not_negative,
)
from regularizers.penalties.strength import StrengthLike, is_traced


@dataclass(frozen=True, repr=False)
class Budget(Term):
    r"""Another penalty less a budget: up to the budget nothing costs, and nothing is pulled.

    .. math:: p(x) = s \max(q(x) - b,\, 0), \qquad
        \frac{\partial p}{\partial x} = s\,\frac{\partial q}{\partial x} \text{ where } q(x) > b,
        \quad 0 \text{ elsewhere}

    q is the penalty for a strength of 1, reduced: of a batch it is one number, and the budget is
    of the batch and not of each sample in it. Of a weight it is that of the whole weight.

    It is the soft limit of a sparse autoencoder: `L1` alone goes on shrinking codes that are sparse
    already, and with a budget of 5 it leaves them alone from where their absolute values sum to 5 a
    sample. A strength that is large enough holds them there, and a larger one changes nothing.

    Args:
        penalty: s·q, one penalty such as `L1(1e-3)`, which says the strength and how elements
            become one number. For differences in time write `Temporal(Budget(penalty, budget))`.
        budget: b, finite and not negative, in the units of q: those of the penalty for a strength
            of 1.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty; say it in one place only.
        strength: as in the penalty; say it in one place only.

    The penalty is saved for a strength of 1 and without its reading, which the budget itself holds.

    Raises:
        ConfigurationError: no penalty, or a sum of several; one that is temporal; a budget that is
            negative or not finite; settings that contradict.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> budget = rz.Budget(rz.L1(0.5), 4.0)
        >>> float(budget(np.array([1.0, -2.0]))), float(budget(np.array([4.0, -2.0])))
        (0.0, 1.0)
        >>> budget.gradient(np.array([4.0, -2.0]))
        array([ 0.5, -0.5])

    Source: as the "free bits" of Kingma et al., "Improving variational inference with inverse
    autoregressive flow", 2016, `arXiv:1606.04934 <https://arxiv.org/abs/1606.04934>`__.
    """

    penalty: Penalty
    budget: float
    strength: StrengthLike = field(default=1.0, kw_only=True)
    of: Formula = field(init=False, compare=False)
    """The penalty at strength 1, with the reduction of the budget."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "budget", check_not_negative(self.budget, "budget"))
        term = _one_term(self.penalty)
        if term.joins_bias:
            raise ConfigurationError(f"Budget: expected a penalty of one array, got {term!r}")
        for name, unsaid in (("strength", 1.0), ("reduce", None), ("batch_axis", None)):
            said = _said_once(name, getattr(self, name), getattr(term, name), unsaid)
            object.__setattr__(self, name, said)
        unit = dataclasses.replace(term, strength=1.0, reduce=None, batch_axis=None)
        of = dataclasses.replace(unit, reduce=self.reduce, batch_axis=self.batch_axis)
        object.__setattr__(self, "penalty", unit)
        object.__setattr__(self, "of", of)

    def __repr__(self) -> str:
        return f"Budget({dataclasses.replace(self.of, strength=self.strength)!r}, {self.budget!r})"

    @property
    def saves(self) -> Saves:
        return self.of.saves

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        return self.of.reductions

    @property
    def joins(self) -> bool:
        return self.of.joins

    @property
    def differentiated(self) -> bool:
        return self.of.differentiated

    @property
    def takes_empty(self) -> bool:
        return self.of.takes_empty

    @property
    def for_weights_only(self) -> bool:
        return self.of.for_weights_only

    @property
    def for_gates_only(self) -> bool:
        return self.of.for_gates_only

    @property
    def by_role(self) -> bool:
        return self.of.by_role

    @property
    def reads_samples(self) -> bool:
        return self.of.reads_samples

    @property
    def adds_over_units(self) -> bool:
        return False

    def joint_axes(self, ndim: int) -> tuple[int, ...]:
        return self.of.joint_axes(ndim)

    def spans_samples(self, statistic: Array) -> bool:
        return True

    def check_shape(self, shape: tuple[int, ...]) -> None:
        self.of.check_shape(shape)

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        return self.of.statistic(x, frame)

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return self.of.pullback(x, saved, cotangent, frame)

    def denominator(self, frame: Frame) -> Denominator:
        return self.of.denominator(frame)

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        spent = self.of.value(statistic, denominator, xp)
        return self._beyond(spent, spent - self.budget, xp)

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        spent = self.of.value(statistic, denominator, xp)
        return self._beyond(spent, self.of.derivative(statistic, denominator, xp), xp)

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        return self.of.to_sum(statistic, xp)

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        return self.of.from_sum(total, xp)

    def _beyond(self, spent: Array, charge: Array, xp: Namespace) -> Array:
        """Return `charge` where the penalty exceeds the budget, and 0 elsewhere."""
        # compared this way, NaN passes through
        return xp.where(spent <= self.budget, xp.zeros_like(charge), charge)


def _one_term(penalty: Any) -> Formula:
    if not isinstance(penalty, Penalty):
        raise ConfigurationError(
            f"Budget: expected a penalty such as L1(1e-3), got {penalty!r} "
            f"of type {type(penalty).__name__}"
        )
    terms = penalty.terms
    if len(terms) > 1:
        raise ConfigurationError(
            f"Budget: expected one penalty such as L1(1e-3), got {penalty!r}, which is a sum of "
            f"{len(terms)}; give each a budget of its own, and add the budgets"
        )
    if isinstance(terms[0], Difference):
        raise ConfigurationError(
            f"Budget: expected a penalty of single states, got {penalty!r}; for a budget of "
            f"differences in time write Temporal(Budget(penalty, budget))"
        )
    return terms[0]


def _said_once(name: str, by_budget: Any, by_penalty: Any, unsaid: Any) -> Any:
    """Return a setting that either of the two may state."""
    if is_traced(by_budget) and by_penalty == unsaid:
        return by_budget
    if by_budget in (unsaid, by_penalty):
        return by_penalty
    if by_penalty == unsaid:
        return by_budget
    raise ConfigurationError(
        f"Budget: {name}: its penalty says {by_penalty!r} and the budget says {by_budget!r}; "
        f"say it in the penalty only"
    )
