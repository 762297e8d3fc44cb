"""Which weights a rule means."""

from __future__ import annotations

from torch import nn

from regularizers.attach._names import Where
from regularizers.attach._roles import Parameter
from regularizers.attach._rules import Rule
from regularizers.attach._select import (
    as_list,
    is_glob,
    is_matched_by,
    is_name_matched,
    nothing_matched,
)
from regularizers.errors import SelectionError

_OLD_STYLE = ("_g", "_v", "_orig")


def select_weights(rule: Rule, model: nn.Module, parameters: list[Parameter]) -> list[Parameter]:
    """Return the weights that a kernel or bias rule means, each place once.

    Tied weights appear at each of their places; which is counted is settled when they are read,
    because weights can be tied and untied later.

    Raises:
        SelectionError: an alternative that matches nothing, or a weight that is recomputed by a
            hook and has no value of its own.
    """
    right_role = [p for p in parameters if p.role == rule.kind]
    wanted: list[Parameter] = []
    for where in as_list(rule.where):
        matches = [p for p in right_role if _is_meant(where, p)]
        if not matches:
            raise SelectionError(_explain(rule, where, model, parameters))
        wanted += [p for p in matches if p not in wanted]
    for parameter in wanted:
        if parameter.name.endswith(_OLD_STYLE) and not parameter.parametrized:
            raise SelectionError(
                f"{rule}: {parameter.full_name!r} is only a part of its kernel, which a hook "
                f"computes; use torch.nn.utils.parametrizations instead of the older "
                f"weight_norm or spectral_norm"
            )
    return wanted


def _is_meant(where: Where, parameter: Parameter) -> bool:
    if is_matched_by(where, parameter.owner, parameter.owner_name):
        return True
    if not isinstance(where, str):
        return False
    if is_name_matched(where, parameter.full_name):
        return True
    # an exact name means its subtree
    return not is_glob(where) and (where == "" or parameter.full_name.startswith(f"{where}."))


def _explain(rule: Rule, where: Where, model: nn.Module, parameters: list[Parameter]) -> str:
    other = [p for p in parameters if _is_meant(where, p)]
    if other:
        found = ", ".join(f"{p.full_name} ({p.role})" for p in other[:4])
        return (
            f"{rule}: no {rule.kind} there, only {found}; "
            f"Regularization(..., roles={{...}}) says otherwise"
        )
    names = {p.owner_name for p in parameters} | {p.full_name for p in parameters}
    return nothing_matched(rule.kind, where, model, sorted(names))
