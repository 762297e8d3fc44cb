"""Rules: penalties and the sites they apply to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from regularizers.attach.rules._measured import (
    Tensors,
    Towards,
    Weights,
    check_weights,
    checked_importance,
    checked_towards,
)
from regularizers.constraints import Constraint
from regularizers.control import Target
from regularizers.errors import ConfigurationError
from regularizers.modules import Mask, Select, Wheres, as_list, described
from regularizers.penalties import Difference, Formula, Penalty, check_proximal
from regularizers.penalties.arrays import Axes, Reduce, check_batch_axis, check_reduce

Kind: TypeAlias = Literal["activity", "temporal", "kernel", "bias"]


class AnyRule:
    """A rule of a `Regularization`: a `Rule` of a penalty, or a `ConstraintRule`.

    It is the type of each in a list of rules.

    Example:
        >>> import regularizers as rz
        >>> rules: list[rz.AnyRule] = [rz.kernel(rz.L1(1e-4)), rz.constraint(rz.UnitNorm("input"))]
        >>> print(*rules, sep="; ")
        kernel(L1(0.0001), where='**'); constraint(UnitNorm('input'), where='**')
    """


@dataclass(frozen=True)
class Rule(AnyRule):
    """A penalty and the sites it applies to; made by `activity`, `kernel` and `bias`.

    Those functions say more of each option.

    Args:
        kind: `"activity"`, `"kernel"` or `"bias"`.
        penalty: the penalty of each site.
        where: which modules or parameters.
        select: the part of an output that is no tensor.
        reduce: the reduction, unless the penalty states one.
        batch_axis: the axes of samples, unless the penalty states them.
        copy: keep a copy of an output that is changed in place after its module.
        proximal: shrink weights after each step, instead of adding a gradient.
        mask: a function of a module's inputs that returns which elements of its output count.
        carry: the initial state of a recurrent layer joins the first difference in time.
        optional: allow that the site never fires.
        shared: one strength with a target for all sites of the rule.
        towards: w⁰, which weights are measured from: `"initial"`, its alias `"now"`, or tensors by
            the names of weights.
        importance: F, a factor of each element's penalty; tensors by the names of weights.
        weights: w, a factor of each unit's penalty: a tensor that broadcasts to the units of one
            sample, or a function of the model that returns one.

    Raises:
        ConfigurationError: as `activity`, `kernel` and `bias`.

    Example:
        >>> import regularizers as rz
        >>> rule = rz.activity(rz.L1(1e-3), where="encoder.act")
        >>> print(rule)
        activity(L1(0.001), where='encoder.act')
        >>> rule.terms  # with the reduction that the kind of rule gives them
        (L1(0.001, reduce='batch_mean'),)
    """

    kind: Kind
    penalty: Penalty
    where: Wheres
    select: Select | None = None
    reduce: Reduce | None = None
    batch_axis: Axes | None = None
    copy: bool = False
    proximal: bool = False
    mask: Mask | None = None
    carry: bool = False
    optional: bool = False
    shared: bool = False
    towards: Towards | None = None
    importance: Tensors | None = None
    weights: Weights | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, Penalty):
            raise ConfigurationError(
                f"{self.kind}: expected a penalty such as L1(1e-3), got {self.penalty!r} "
                f"of type {type(self.penalty).__name__}{_of_constraint(self.penalty)}"
            )
        as_list(self.where)
        check_reduce(self.reduce)
        check_batch_axis(self.batch_axis)
        self._check_activity()
        self._check_targets()
        terms = self.terms  # a contradiction raises here, where the rule is written
        if self.proximal:
            check_proximal(terms)
        object.__setattr__(self, "towards", checked_towards(self.kind, self.towards, terms))
        importance = checked_importance(self.kind, self.importance, terms)
        object.__setattr__(self, "importance", importance)
        check_weights(self.kind, self.weights, terms)
        if self.mask is not None and not callable(self.mask):
            raise ConfigurationError(
                f"{self.kind}: mask: expected a function of the module's inputs, got a "
                f"{type(self.mask).__name__}; a mask of one batch goes around its forward: "
                f"with reg.mask(mask, where=...)"
            )
        if self.carry and not any(isinstance(term, Difference) for term in terms):
            raise ConfigurationError(
                f"{self.kind}: carry=True is for differences in time, as of tar() and Temporal, "
                f"got {self.penalty!r}"
            )

    @property
    def terms(self) -> tuple[Formula, ...]:
        """The terms of the penalty, with their reductions and batch axes resolved."""
        usual: Reduce = "batch_mean" if self.kind == "activity" else "sum"
        return tuple(
            [
                dataclasses.replace(
                    term,
                    reduce=self._resolved("reduce", term.reduce, self.reduce)
                    or (usual if usual in term.reductions else "sum"),
                    batch_axis=self._resolved("batch_axis", term.batch_axis, self.batch_axis),
                )
                for term in self.penalty.terms
            ]
        )

    def _check_activity(self) -> None:
        for term in self.penalty.terms:
            if self.kind != "activity" and term.for_gates_only:
                raise ConfigurationError(
                    f"{self.kind}: expected a penalty of weights, got {term!r}, which counts gates "
                    f"that are 0 or 1; use activity({self.penalty!r}, where=...) at a gate, and "
                    f"for weights that become exactly 0 kernel(L1(...), proximal=True)"
                )
            if self.kind == "activity" and term.by_role:
                raise ConfigurationError(
                    f"activity: expected the number of an axis of the output, got {term!r}, whose "
                    f"axis only the weight of a module has; use kernel(...), or axis=1 for units"
                )
            if self.kind == "activity" and term.for_weights_only:
                raise ConfigurationError(
                    f"activity: expected a penalty of activities, got {term!r}, which is for "
                    f"weights: it is not additive over the samples of a batch; use kernel(...)"
                )

    def _check_targets(self) -> None:
        for term in self.penalty.terms:
            target = term.strength
            if not isinstance(target, Target):
                continue
            if target.measures == "output" and self.kind != "activity":
                raise ConfigurationError(
                    f"{self.kind}: {target!r} measures a module's output, so its penalty must be "
                    f"one of the output too, got {term!r}; give this one a number, a schedule, "
                    f"TargetZeros or TargetLoss"
                )
            if target.measures == "weights" and not self.proximal:
                raise ConfigurationError(
                    f"{self.kind}: {target!r} measures weights that are exactly 0, which only "
                    f"proximal rules have: kernel({self.penalty!r}, proximal=True), then "
                    f"reg.attach(optimizer)"
                )
            if target.measures == "weights" and term.joins_bias:
                raise ConfigurationError(
                    f"{self.kind}: {target!r} measures kernels alone, and with_bias=True takes "
                    f"biases along; give {term!r} a number or a schedule"
                )
        if self.shared and not any(isinstance(t.strength, Target) for t in self.penalty.terms):
            raise ConfigurationError(
                f"{self.kind}: shared=True is for a strength with a target, which several sites "
                f"then have together, got {self.penalty!r}"
            )

    def _resolved(self, name: str, of_penalty: Any, of_rule: Any) -> Any:
        if of_rule is None or of_penalty in (None, of_rule):
            return of_penalty if of_rule is None else of_rule
        raise ConfigurationError(
            f"{self.kind}: the rule says {name}={of_rule!r} and its penalty says "
            f"{name}={of_penalty!r}; say it once"
        )

    def __str__(self) -> str:
        towards = repr(self.towards) if isinstance(self.towards, str) else "..."
        options = "" if self.towards is None else f", towards={towards}"
        options += "" if self.importance is None else ", importance=..."
        options += "" if self.weights is None else ", weights=..."
        return f"{self.kind}({self.penalty!r}, where={described(self.where)}{options})"


def check_are_rules(rules: Iterable[AnyRule]) -> list[AnyRule]:
    """Return `rules` as a list; raise unless each of them is a rule."""
    if isinstance(rules, AnyRule):
        raise ConfigurationError(f"Regularization: expected a list of rules; write [{rules}]")
    checked: list[Any]
    try:
        checked = list(rules)
    except TypeError:  # a single object that is no rule
        checked = [rules]
    for rule in checked:
        if not isinstance(rule, AnyRule):
            is_penalty = isinstance(rule, Penalty)
            raise ConfigurationError(
                f"Regularization: expected rules made by activity, kernel, bias or constraint, got "
                f"{rule!r}" + (_written_as_rules(rule) if is_penalty else _of_constraint(rule))
            )
    return checked


def _of_constraint(given: object) -> str:
    if not isinstance(given, Constraint):
        return ""
    return f", a constraint, which has a rule of its own: constraint({given!r}, where=...)"


def _written_as_rules(penalty: Penalty) -> str:
    return (
        f', a penalty; say what it is for: [activity({penalty!r}, where="...")] or '
        f"[kernel({penalty!r})]"
    )
