"""Marks: regularizers stated where a module is made, which `Regularization` finds later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from regularizers.attach.rules import (
    AnyRule,
    ConstraintRule,
    Rule,
    activity,
    bias,
    check_are_rules,
    kernel,
)
from regularizers.attach.sites._roles import parameters_of
from regularizers.constraints import Constraint
from regularizers.errors import ConfigurationError, SelectionError
from regularizers.layers import ActivityPenalty
from regularizers.modules import add_unread_warning, mark_as_read
from regularizers.penalties import Penalty

Module = TypeVar("Module", bound=nn.Module)

_ATTRIBUTE = "_regularizers"


@dataclass(frozen=True)
class Marks:
    """The penalties and constraints that `regularize` gave to one module."""

    kernel: Penalty | None
    bias: Penalty | None
    activity: Penalty | None
    kernel_constraint: Constraint | None = None
    bias_constraint: Constraint | None = None


def regularize(
    module: Module,
    *,
    kernel_regularizer: Penalty | None = None,
    bias_regularizer: Penalty | None = None,
    activity_regularizer: Penalty | None = None,
    kernel_constraint: Constraint | None = None,
    bias_constraint: Constraint | None = None,
) -> Module:
    """Mark one module with its regularizers, as in Keras; `Regularization(model)` finds the marks.

    A mark computes nothing by itself. If no Regularization has read it, the first backward pass
    through the module warns.

    Args:
        module: the module, which is marked and returned. The mark covers all its submodules, and
            the recurrent kernels of a recurrent layer.
        kernel_regularizer: the penalty of its kernels.
        bias_regularizer: the penalty of its biases.
        activity_regularizer: the penalty of its output. For `Dense(activation="relu")` of Keras
            mark the `nn.ReLU`, or a `Sequential` of both: the output of `nn.Linear` is the value
            before the activation.
        kernel_constraint: what its kernels are kept to after each step of an optimizer that is
            given to `Regularization.attach`.
        bias_constraint: what its biases are kept to.

    Returns:
        The module itself.

    Raises:
        SelectionError: a regularizer or constraint for a kernel or bias that the module does not
            have.
        ConfigurationError: something else than a module, a penalty or a constraint.

    Example:
        >>> import regularizers as rz
        >>> from torch import nn
        >>> layer = rz.regularize(nn.Linear(784, 100), kernel_regularizer=rz.L2Squared(1e-4))
        >>> relu = rz.regularize(nn.ReLU(), activity_regularizer=rz.L1(1e-3))
        >>> rz.Regularization(nn.Sequential(layer, relu))
        Regularization((root) Sequential: 1 activity, 1 kernel)
    """
    if not isinstance(module, nn.Module):
        raise ConfigurationError(
            f"regularize: expected a torch.nn.Module, got {type(module).__name__}"
        )
    marks = Marks(
        kernel_regularizer,
        bias_regularizer,
        activity_regularizer,
        kernel_constraint,
        bias_constraint,
    )
    rules = list(_rules_of(module, marks))  # raises if one is not a penalty
    if any(rule.kind != "activity" for rule in rules):
        roles = {parameter.role for parameter in parameters_of(module)}
        for rule in rules:
            if rule.kind != "activity" and rule.kind not in roles:
                raise SelectionError(f"regularize: {type(module).__name__} has no {rule.kind}")
    module.__dict__[_ATTRIBUTE] = marks
    add_unread_warning(module)
    return module


def all_rules(model: nn.Module, given: Iterable[AnyRule]) -> list[AnyRule]:
    """Return the rules that were given for `model`, and those that its marks stand for.

    Raises:
        ConfigurationError: something else than rules.
        SelectionError: there is none.
    """
    rules = [*check_are_rules(given), *_marked_rules(model)]
    if not rules:
        raise SelectionError(
            "Regularization: no rules were given, and no module is marked by regularize() or is "
            "a layers.ActivityPenalty"
        )
    return rules


def _marked_rules(model: nn.Module) -> Iterator[Rule | ConstraintRule]:
    for module in model.modules():
        if isinstance(module, ActivityPenalty) or _ATTRIBUTE in module.__dict__:
            mark_as_read(module)
        if isinstance(module, ActivityPenalty):
            yield activity(module.penalty, where=module)
        if _ATTRIBUTE in module.__dict__:
            yield from _rules_of(module, module.__dict__[_ATTRIBUTE])


def _rules_of(module: nn.Module, marks: Marks) -> Iterator[Rule | ConstraintRule]:
    if marks.kernel is not None:
        yield kernel(marks.kernel, where=module)
    if marks.bias is not None:
        yield bias(marks.bias, where=module)
    if marks.activity is not None:
        yield activity(marks.activity, where=module)
    if marks.kernel_constraint is not None:
        yield ConstraintRule("kernel", marks.kernel_constraint, module)
    if marks.bias_constraint is not None:
        yield ConstraintRule("bias", marks.bias_constraint, module)
