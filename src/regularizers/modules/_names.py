"""Names of modules, the types of a `where`, and both as text for messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import nn

Predicate: TypeAlias = Callable[[nn.Module, str], bool]
Where: TypeAlias = str | type[nn.Module] | nn.Module | Predicate
"""Selects modules: by name or glob, by type, the module itself, or a predicate."""
Wheres: TypeAlias = Where | Sequence[Where]
"""One `Where`, or several alternatives."""

ROOT = "(root)"
"""What messages call the model itself, whose own name is empty."""


def printable(name: str, model: nn.Module | None = None) -> str:
    """Return the name of a module for messages; the root module's own name is empty.

    Args:
        name: the name of the module.
        model: the model, whose type is shown for the root.

    Example:
        >>> import torch
        >>> from regularizers.modules import printable
        >>> printable("encoder"), printable("", torch.nn.Identity())
        ('encoder', '(root) Identity')
    """
    if name:
        return name
    return ROOT if model is None else f"{ROOT} {type(model).__name__}"


def described(where: Wheres) -> str:
    """Return a `where` for messages.

    Args:
        where: as in `activity`.

    Example:
        >>> import torch
        >>> from regularizers.modules import described
        >>> described(["encoder.*", torch.nn.ReLU])
        "['encoder.*', ReLU]"
    """
    if isinstance(where, (list, tuple)):
        return f"[{', '.join(described(one) for one in where)}]"
    if isinstance(where, nn.Module):
        return f"<this {type(where).__name__}>"
    return where.__name__ if isinstance(where, type) else repr(where)
