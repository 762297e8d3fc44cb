"""The weights and the modules of a Flax NNX model that rules match, by path."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from flax import nnx

from regularizers.attach import Rule
from regularizers.errors import SelectionError
from regularizers.modules import ROOT, as_list, is_glob, is_name_matched

Roles: TypeAlias = Mapping[str, str]
"""The roles of weights that have other names, by path or glob."""

_ROLES = {"kernel": "kernel", "bias": "bias", "embedding": "embedding", "scale": "norm"}


def modules_of(model: nnx.Module) -> dict[str, Any]:
    """Return the modules of a model by name; one that is shared has its first name."""
    return {name_of(path): module for path, module in nnx.iter_modules(model)}


def name_of(path: tuple[Any, ...]) -> str:
    """Return the name of a module or a weight: its path, with dots."""
    return ".".join(map(str, path))


def select_modules(rule: Rule, model: nnx.Module) -> list[str]:
    """Return the names of the modules that a rule matches.

    Raises:
        SelectionError: an alternative matches nothing.
    """
    modules = modules_of(model)
    return _each(rule, modules, lambda where, name: _is_matched(where, name, modules[name]))


def select_weights(rule: Rule, model: nnx.Module, roles: Roles) -> dict[str, Any]:
    """Return the weights of its role that a rule matches, by name; a shared one once.

    Raises:
        SelectionError: an alternative matches nothing, or a weight whose role is not known.
    """
    modules = modules_of(model)
    weights = {
        name_of(path): value
        for path, value in nnx.iter_graph(model)
        if isinstance(value, nnx.Param)
    }
    owners = {name: modules.get(name.rpartition(".")[0], model) for name in weights}

    def is_selected(where: Any, name: str) -> bool:
        return _is_within(where, name, owners[name]) and role_of(name) == rule.kind

    def role_of(name: str) -> str:
        role = _role(name, owners[name], roles)
        if role is None:
            raise SelectionError(
                f"{rule}: {name}: expected a weight named kernel, bias, embedding or scale, which "
                f'says its role; say it: roles={{"{name}": "kernel"}}, or "other"'
            )
        return role

    def others(where: Any) -> str:
        there = [name for name in weights if _is_within(where, name, owners[name])]
        shown = ", ".join(f"{name} ({role_of(name)})" for name in there[:4])
        return f"; no {rule.kind} there, only {shown}" if there else ""

    return {name: weights[name] for name in _each(rule, weights, is_selected, others)}


def sown_values(model: nnx.Module, sown: Any) -> dict[str, tuple[Any, ...]]:
    """Return what a model sowed, by path: a value for each call.

    Args:
        model: what it holds itself is taken out of it, so that the next forward sows anew.
        sown: the state that `nnx.capture` returned; None for what the model holds.
    """
    if sown is None:
        sown = nnx.pop(model, nnx.All(nnx.Intermediate, nnx.Not(nnx.Perturbation)))
    values = {name_of(path): value for path, value in nnx.to_flat_state(sown)}
    values = {n: v.get_value() if isinstance(v, nnx.Variable) else v for n, v in values.items()}
    return {name: v if isinstance(v, tuple) else (v,) for name, v in values.items()}


def select_sown(rule: Rule, model: nnx.Module, names: Iterable[str]) -> list[str]:
    """Return the names of the sown values that a rule matches; of a module, all that it sowed.

    Raises:
        SelectionError: an alternative matches nothing, and the rule is not optional.
    """
    modules = modules_of(model)
    owners = {name: modules.get(name.rpartition(".")[0], model) for name in names}

    def is_selected(where: Any, name: str) -> bool:
        return _is_within(where, name, owners[name])

    def others(where: Any) -> str:
        if owners:
            return f" that was sown, only {', '.join(owners)}"
        return (
            " that was sown; for outputs of modules: y, penalty = penalised(model, rules)(x); the "
            "values that a model sows are in it, or in sown=, after its forward"
        )

    if rule.optional:  # a forward need not sow it, as one of evaluation may not
        return [n for n in owners if any(is_selected(one, n) for one in as_list(rule.where))]
    return _each(rule, owners, is_selected, others)


def _each(
    rule: Rule,
    names: Iterable[str],
    is_selected: Callable[[Any, str], bool],
    others: Callable[[Any], str] = lambda where: "",
) -> list[str]:
    chosen: dict[str, None] = {}
    for one in as_list(rule.where):
        found = [name for name in names if is_selected(one, name)]
        if not found:
            near = difflib.get_close_matches(str(one), [n for n in names if n], n=4, cutoff=0.3)
            hint = f"; nearest names: {', '.join(near)}" if near else "; no name is near"
            raise SelectionError(f"{rule}: matches nothing{others(one) or hint}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _role(name: str, owner: Any, roles: Roles) -> str | None:
    for pattern, role in roles.items():
        if is_name_matched(pattern, name):
            return role
    attribute = name.rpartition(".")[2]
    if attribute == "bias" and hasattr(owner, "scale"):
        return "norm"
    return _ROLES.get(attribute)


def _is_within(where: Any, name: str, owner: Any) -> bool:
    """Return whether a weight is selected; the name of a module is for everything in it."""
    if isinstance(where, str):
        if is_glob(where):
            inside = is_name_matched(where, name.rpartition(".")[0])
            return inside or is_name_matched(where, name)
        return where in ("", ROOT) or f"{name}.".startswith(f"{where}.")
    if isinstance(where, nnx.Module):
        return any(owner is module for _, module in nnx.iter_modules(where))
    return _is_matched(where, name.rpartition(".")[0], owner)


def _is_matched(where: Any, name: str, module: Any) -> bool:
    if isinstance(where, str):
        return is_name_matched(where, name)
    if isinstance(where, nnx.Module):
        return where is module
    return isinstance(module, where) if isinstance(where, type) else bool(where(module, name))
