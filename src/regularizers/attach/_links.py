"""Modules where they were when they were found."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn


class Links:
    """Every step on the way from a model to some of its modules.

    Each step of an optimizer looks at all of them, hence they are kept as columns.

    Args:
        model: where the ways begin.
        names: of the modules where they end.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        links: dict[str, tuple[dict[str, nn.Module | None], str, nn.Module]] = {}
        for full_name in names:
            parent, path = model, ""
            for name in full_name.split(".") if full_name else []:
                path = f"{path}.{name}" if path else name
                child = parent.get_submodule(name)
                links[path] = parent._modules, name, child
                parent = child
        self._paths = list(links)
        self._homes = [home for home, _, _ in links.values()]
        self._names = [name for _, name, _ in links.values()]
        self._children = [child for _, _, child in links.values()]

    def replaced(self) -> str | None:
        """Return the full name of a module that is no more where it was; None if all are."""
        columns = zip(self._homes, self._names, self._children, self._paths, strict=True)
        for home, name, child, path in columns:
            if home.get(name) is not child:
                return path
        return None
