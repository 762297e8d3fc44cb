"""Selects the weights that a rule matches."""

from __future__ import annotations

from torch import Tensor, nn

from regularizers.attach.rules import ConstraintRule, Rule
from regularizers.attach.sites._parameter import Parameter
from regularizers.errors import ArrayTypeError, SelectionError
from regularizers.modules import (
    ROOT,
    Where,
    Wheres,
    as_list,
    is_glob,
    is_matched_by,
    is_name_matched,
    nothing_matched,
    printable,
)


def select_weights(
    rule: Rule | ConstraintRule, model: nn.Module, parameters: list[Parameter]
) -> list[Parameter]:
    """Return the weights that a kernel or bias rule selects.

    A tied weight appears once for each module. Which of them counts is decided when the weights
    are read, because weights can be tied and untied later.

    Raises:
        SelectionError: an alternative that matches nothing, or a parameter that is only a part of
            the weight that an unknown hook computes.
    """
    cure = "; Regularization(..., roles={...}) says otherwise"
    named = isinstance(rule, ConstraintRule)
    wanted = select_by_role(rule.kind, rule.where, model, parameters, str(rule), cure, named=named)
    for parameter in wanted:
        _check_is_real(rule, parameter)
    return wanted


def select_by_role(
    role: str,
    where: Wheres,
    model: nn.Module,
    parameters: list[Parameter],
    caller: str,
    cure: str = "",
    *,
    named: bool = False,
) -> list[Parameter]:
    """Return the weights of one role that a `where` selects; a tied one once for each module.

    Args:
        role: `"kernel"` or `"bias"`.
        where: which of them, as in `kernel`.
        model: the model, for messages.
        parameters: its parameters.
        caller: what selects them, for messages.
        cure: what to do about weights of another role.
        named: whether the full name of a weight selects it, whatever its role.

    Raises:
        SelectionError: as in `select_weights`.
    """
    right_role = [p for p in parameters if p.role == role]
    wanted: list[Parameter] = []
    for one in as_list(where):
        matches = [p for p in right_role if _is_selected(one, p)]
        if named and not matches:
            matches = [p for p in parameters if p.full_name == one]
        if not matches:
            raise SelectionError(_explain(role, one, model, parameters, caller, cure))
        wanted += [p for p in matches if p not in wanted]
    for parameter in wanted:
        check_is_whole(parameter, f"{caller}: ")
    return wanted


def _check_is_real(rule: Rule | ConstraintRule, parameter: Parameter) -> None:
    weight = parameter.owner._parameters.get(parameter.name)
    if weight is not None and weight.requires_grad and weight.is_complex():
        raise ArrayTypeError(
            f"{rule}: {parameter.full_name}: expected a weight of a real floating type, got "
            f"{weight.dtype}; keep its parts, torch.view_as_real(weight), as the parameter, or "
            f"narrow the rule"
        )


def check_is_whole(parameter: Parameter, rule: str = "") -> None:
    """Raise if the parameter is only a part of a weight that an unknown hook computes.

    Raises:
        SelectionError: it is.
    """
    if _is_part_of_another(parameter):
        raise SelectionError(
            f"{rule}{parameter.full_name!r} is only a part of its kernel, which a forward pre-hook "
            f"computes; use torch.nn.utils.parametrize instead, or attach Regularization before "
            f"the hook"
        )


def _is_part_of_another(parameter: Parameter) -> bool:
    """Return whether a hook computes the tensor of the forward from this parameter."""
    base, _, suffix = parameter.name.rpartition("_")
    known = parameter.owner._parameters
    siblings = {"g": f"{base}_v" in known, "v": f"{base}_g" in known, "orig": True}
    computed = parameter.owner.__dict__.get(base)
    return isinstance(computed, Tensor) and siblings.get(suffix, False)


def _is_selected(where: Where, parameter: Parameter) -> bool:
    if isinstance(where, str) and not is_glob(where):
        # the name of a module selects everything in it
        prefix = "" if where in ("", ROOT) else f"{where}."
        return parameter.full_name == where or parameter.full_name.startswith(prefix)
    if isinstance(where, str) and is_name_matched(where, parameter.full_name):
        return True
    if isinstance(where, nn.Module):
        return any(parameter.owner is module for module in where.modules())
    return is_matched_by(where, parameter.owner, parameter.owner_name)


def _explain(
    role: str, where: Where, model: nn.Module, parameters: list[Parameter], caller: str, cure: str
) -> str:
    other = [p for p in parameters if _is_selected(where, p)]
    if other:
        found = ", ".join(f"{p.full_name} ({p.role})" for p in other[:4])
        return f"{caller}: no {role} there, only {found}{cure}"
    named = model.named_modules(remove_duplicate=False)
    containers = [name for name, module in named if is_matched_by(where, module, name)]
    if containers:
        shown = printable(containers[0])
        return (
            f"{caller}: {shown} has no {role} of its own; its name alone, where={shown!r}, "
            f"means everything in it, as does a glob that ends in '.**'"
        )
    names = {p.owner_name for p in parameters} | {p.full_name for p in parameters}
    return nothing_matched(role, where, model, sorted(names))
