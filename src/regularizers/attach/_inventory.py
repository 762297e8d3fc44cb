"""The modules and weights of a model, compared with what was there when the rules were resolved."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable

from torch import nn


class Inventory:
    """Notices modules and weights that are added to a model, replaced or taken away.

    Every collection and every step looks at all of them, hence they are kept as columns. A weight
    that is another tensor under the same name is not noticed: names are read anew each time.

    Args:
        model: the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.take()

    def take(self) -> None:
        """Remember what is there now."""
        modules = list(self._model.modules())
        self._homes = [module._modules for module in modules]
        self._parents = [home for home in self._homes if home]
        self._weights = [module._parameters for module in modules]
        self._empty = [
            (weights, name)
            for weights in self._weights
            for name, weight in weights.items()
            if weight is None
        ]
        self._sizes = self._count()
        self._children = self._list_children()

    def has_changed(self) -> bool:
        """Return whether something else is there than was remembered."""
        if self._count() != self._sizes:
            return True
        children = self._list_children()
        return not all(map(operator.is_, children, self._children)) or any(
            weights.get(name) is not None for weights, name in self._empty
        )

    def _count(self) -> list[int]:
        return [*map(len, self._homes), *map(len, self._weights)]

    def _list_children(self) -> list[nn.Module | None]:
        return list(itertools.chain.from_iterable(map(dict.values, self._parents)))


class Links:
    """Every step on the way from a model to some of its modules.

    Args:
        model: where the ways begin.
        names: of the modules where they end.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        self._links: dict[str, tuple[dict[str, nn.Module | None], str, nn.Module]] = {}
        for full_name in names:
            parent, path = model, ""
            for name in full_name.split(".") if full_name else []:
                path = f"{path}.{name}" if path else name
                child = parent.get_submodule(name)
                self._links[path] = parent._modules, name, child
                parent = child

    def replaced(self) -> str | None:
        """Return the full name of a module that is no more where it was; None if all are."""
        for path, (home, name, child) in self._links.items():
            if home.get(name) is not child:
                return path
        return None
