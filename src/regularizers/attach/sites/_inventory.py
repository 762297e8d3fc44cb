"""The modules and weights of a model, compared with what was there when the rules were resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

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
        self._homes: list[Mapping[str, object]] = [
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
        self._sizes = list(map(len, self._homes))
        self._children = list(chain.from_iterable(map(dict.values, self._parents)))

    def has_changed(self) -> bool:
        """Return whether something else is there than was remembered."""
        return (
            list(map(len, self._homes)) != self._sizes
            or list(chain.from_iterable(map(dict.values, self._parents))) != self._children
            or (bool(self._empty) and any(home.get(name) is not None for home, name in self._empty))
        )


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
