"""Selects the modules that a `where` matches."""

from __future__ import annotations

import difflib
import functools
import re
import sys
from collections.abc import Iterable
from typing import Any

from torch import nn

from regularizers.errors import ConfigurationError, SelectionError
from regularizers.modules._names import ROOT, Where, Wheres, described, printable

_KERAS = (
    "of Keras, which calls no hook of PyTorch; Keras' own activity_regularizer= takes a penalty as "
    "regularizers.integrations.keras.Regularizer(penalty)"
)


def as_list(where: Wheres) -> list[Where]:
    """Return the alternatives of a `where` as a list; raise if one has the wrong type.

    Args:
        where: one alternative or a list of them.

    Example:
        >>> from regularizers.modules import as_list
        >>> as_list("encoder"), as_list(["encoder", "decoder"])
        (['encoder'], ['encoder', 'decoder'])
    """
    alternatives: list[Any] = list(where) if isinstance(where, (list, tuple)) else [where]
    if not alternatives:
        raise SelectionError("where: expected one alternative or more, got an empty list")
    for one in alternatives:
        if not (isinstance(one, (str, nn.Module)) or callable(one)):
            raise ConfigurationError(
                "where: expected a module's name, a glob, a module type, a module, a predicate "
                f"(module, name) or a list of these, got {one!r} of type {type(one).__name__}"
            )
    return alternatives


def is_matched_by(where: Where, module: nn.Module, name: str) -> bool:
    """Return whether `where` matches the module called `name`.

    Args:
        where: one alternative.
        module: the module.
        name: its name in the model.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_matched_by
        >>> is_matched_by(torch.nn.ReLU, torch.nn.ReLU(), "encoder.act")
        True
    """
    if isinstance(where, str):
        return is_name_matched(where, name)
    if isinstance(where, nn.Module):
        return where is module
    if isinstance(where, type):
        return isinstance(module, where)
    return bool(where(module, name))


def is_name_matched(pattern: str, name: str) -> bool:
    """Return whether a glob matches `name`; `*` stays inside a segment, `**` crosses segments.

    Args:
        pattern: a name or a glob; "" and "(root)" are the model itself.
        name: the name of a module.

    Example:
        >>> from regularizers.modules import is_name_matched
        >>> name = "encoder.0.act"
        >>> is_name_matched("encoder.*", name), is_name_matched("**.act", name)
        (False, True)
    """
    if pattern in ("", ROOT) or name == "":
        return name == "" and pattern in ("", ROOT)
    return _compiled(pattern).fullmatch(name) is not None


def is_glob(where: Where) -> bool:
    """Return whether `where` contains wildcards.

    Args:
        where: one alternative.

    Example:
        >>> from regularizers.modules import is_glob
        >>> is_glob("encoder.*"), is_glob("encoder")
        (True, False)
    """
    return isinstance(where, str) and any(c in where for c in "*?[")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*\.|\*\*|\*|\?|\[[^\]]+\])", pattern)
    return re.compile("".join(_regex(part) for part in parts))


def _regex(part: str) -> str:
    """Return the regular expression of one part of a glob; `**.` also matches the empty string."""
    wildcards = {"**.": r"(?:.*\.)?", "**": ".*", "*": "[^.]*", "?": "[^.]"}
    if part in wildcards:
        return wildcards[part]
    if part.startswith("[") and part.endswith("]"):
        return f"[^{part[2:-1]}]" if part[1] == "!" else part
    return re.escape(part)


def select_modules(model: nn.Module, where: Wheres, rule: str) -> list[tuple[str, nn.Module]]:
    """Return the modules that `where` matches, each once, under its first name.

    Args:
        model: the model.
        where: which modules, as in `activity`.
        rule: who asks, for messages.

    Raises:
        SelectionError: an alternative matches nothing, with the nearest names in the message; or
            a layer of Keras.

    Example:
        >>> import torch
        >>> from regularizers.modules import select_modules
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
        >>> select_modules(model, torch.nn.ReLU, "activity")
        [('1', ReLU())]
    """
    named = list(model.named_modules(remove_duplicate=False))
    wanted: set[nn.Module] = set()
    for one in as_list(where):
        matches = [module for name, module in named if is_matched_by(one, module, name)]
        if not matches:
            raise SelectionError(nothing_matched(rule, one, model, [name for name, _ in named]))
        wanted.update(matches)
    of_keras = is_keras_layer(model)  # whose layers are no submodules, but their weights are
    if any(is_keras_layer(m) or (of_keras and isinstance(m, nn.ParameterDict)) for m in wanted):
        raise SelectionError(f"{rule}: where={described(where)} matches a layer {_KERAS}")
    return [(name, module) for name, module in model.named_modules() if module in wanted]


def nothing_matched(rule: str, where: Where, model: nn.Module, names: Iterable[str]) -> str:
    """Return the message for a rule that matches nothing, with the nearest names or types.

    Args:
        rule: who asks.
        where: what matches nothing.
        model: the model.
        names: the names that there are.

    Example:
        >>> import torch
        >>> from regularizers.modules import nothing_matched
        >>> nothing_matched("activity", "encode", torch.nn.Identity(), ["encoder"])
        "activity: where='encode' matches nothing in (root) Identity; nearest names: encoder"
    """
    if isinstance(where, str):
        near = difflib.get_close_matches(where, [n for n in names if n], n=4, cutoff=0.3)
        hint = f"nearest names: {', '.join(near)}" if near else "no name is near"
    elif isinstance(where, type):
        types = sorted({type(module).__name__ for module in model.modules()})
        hint = f"types in the model: {', '.join(types[:12])}"
    else:
        hint = "print(*dict(model.named_modules())) lists the names"
    if is_keras_layer(model):
        hint = f"it is a model {_KERAS}"
    return f"{rule}: where={described(where)} matches nothing in {printable('', model)}; {hint}"


def is_keras_layer(module: nn.Module) -> bool:
    """Return whether a module is a layer or model of Keras 3, on its backend of PyTorch."""
    keras = sys.modules.get("keras")
    return isinstance(module, getattr(keras, "Layer", ()))
