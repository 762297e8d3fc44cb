"""Detects changes to the modules and weights of a model since the rules were resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from torch import nn


class Inventory:
    """Detects modules that were added, removed or replaced, and weights added or removed.

    Every collection and every step checks the whole model, so the state is kept in flat lists,
    which compare at the speed of C. A weight that was replaced under its name needs no detection,
    since weights are always read by name.

    Args:
        model: the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.take()

    def take(self) -> None:
        """Record the current modules and weights."""
        modules = list(self._model.modules())
        self._registries: list[Mapping[str, object]] = [
            *[module._modules for module in modules],
            *[module._parameters for module in modules],
        ]
        self._parents = [module._modules for module in modules if module._modules]
        self._empty = [
            (module._parameters, name)
            for module in modules
            for name, weight in module._parameters.items()
            if weight is None
        ]
        self._sizes = list(map(len, self._registries))
        self._children = list(chain.from_iterable(map(dict.values, self._parents)))

    def has_changed(self) -> bool:
        """Return whether the model differs from the record."""
        return (
            list(map(len, self._registries)) != self._sizes
            or list(chain.from_iterable(map(dict.values, self._parents))) != self._children
            or (
                bool(self._empty)
                and any(owned.get(name) is not None for owned, name in self._empty)
            )
        )


class ModulePaths:
    """The paths of attribute names from a model to some of its modules.

    Args:
        model: the root of the paths.
        names: the full names of the modules.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        self._paths: dict[str, tuple[dict[str, nn.Module | None], str, nn.Module]] = {}
        for full_name in names:
            parent, path = model, ""
            for name in full_name.split(".") if full_name else []:
                path = f"{path}.{name}" if path else name
                child = parent.get_submodule(name)
                self._paths[path] = parent._modules, name, child
                parent = child

    def replaced(self) -> str | None:
        """Return the full name of a module that was replaced on a path; None if none was."""
        for path, (children, name, child) in self._paths.items():
            if children.get(name) is not child:
                return path
        return None
