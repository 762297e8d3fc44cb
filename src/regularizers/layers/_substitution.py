"""Other weights for one call of a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from regularizers.errors import RegimeError
from regularizers.layers._one_chunk import laid_out_as


class Place(NamedTuple):
    """A weight of a module, by the name that its owner has for it."""

    owner: nn.Module
    name: str

    def read(self) -> Tensor:
        """Return the weight that the owner would use if it were called now."""
        if isinstance(self.owner, nn.RNNBase) and self.name in self.owner._flat_weights_names:
            self.owner._update_flat_weights()
            return _named_flat_weights(self.owner)[self.name]
        weight: Tensor = getattr(self.owner, self.name)
        return weight


def _named_flat_weights(rnn: nn.RNNBase) -> dict[str, Tensor]:
    """Return the weights that a recurrent layer hands to its kernel."""
    named = dict(zip(rnn._flat_weights_names, rnn._flat_weights, strict=True))
    return cast("dict[str, Tensor]", named)  # None only within torch's own conversions


@contextmanager
def substituted(weights: Mapping[Place, Tensor]) -> Iterator[None]:
    """Let the modules use `weights` within the context; on exit, what they had.

    A recurrent layer keeps its parameters, and has others in the list that it hands to its kernel.
    `functional_call` would exchange the parameters too: on a GPU the layer then moves all of them
    in memory, which forbids a backward through an earlier forward.

    Raises:
        RegimeError: other weights were put in within the context, so these were not used.
    """
    recurrent: dict[nn.RNNBase, dict[str, Tensor]] = {}
    substitutes: list[_Parameter | _FlatWeights] = []
    for (owner, name), weight in weights.items():
        if isinstance(owner, nn.RNNBase) and name in owner._flat_weights_names:
            recurrent.setdefault(owner, {})[name] = weight
        else:
            substitutes.append(_Parameter(owner, name, weight))
    substitutes += [_FlatWeights(owner, named) for owner, named in recurrent.items()]
    put_in: list[_Parameter | _FlatWeights] = []
    try:
        for one in substitutes:
            one.put_in()
            put_in.append(one)
        yield
        for one in put_in:
            if not one.is_in():
                raise RegimeError(
                    f"{type(one.owner).__name__}: its weights were exchanged while it ran, so "
                    f"those that were meant for it were not used; wrap the layer that drops its "
                    f"weights, and not the module in it, with what exchanges them (fully_shard, "
                    f"the older weight_norm)"
                )
    finally:
        for one in reversed(put_in):
            one.take_out()


class _Parameter:
    """A weight in the place of a parameter."""

    def __init__(self, owner: nn.Module, name: str, weight: Tensor) -> None:
        self.owner = owner
        self._name = name
        self._weight = weight
        self._before = owner._parameters[name]
        # typed as what a module holds; any tensor can be there, as functional_call puts it
        self._slots = cast("dict[str, Tensor | None]", owner._parameters)

    def put_in(self) -> None:
        self._slots[self._name] = self._weight

    def is_in(self) -> bool:
        return self._slots.get(self._name) is self._weight

    def take_out(self) -> None:
        if self.is_in():
            self._slots[self._name] = self._before


class _FlatWeights:
    """The list of weights that a recurrent layer hands to its kernel."""

    def __init__(self, owner: nn.RNNBase, weights: Mapping[str, Tensor]) -> None:
        self.owner = owner
        self._before = owner._flat_weights
        named = _named_flat_weights(owner)
        flat = [weights.get(name, weight) for name, weight in named.items()]
        # Dynamo cannot see where a tensor lies, and a compiled layer lays its weights out itself
        compiling = torch.compiler.is_compiling()
        self._weights = flat if compiling else laid_out_as([*named.values()], flat)
        self._list: list[Any | None] = [*self._weights]

    def put_in(self) -> None:
        self.owner._flat_weights = self._list

    def is_in(self) -> bool:
        if self.owner._flat_weights is not self._list:
            return False
        return all(a is b for a, b in zip(self._list, self._weights, strict=True))

    def take_out(self) -> None:
        if self.owner._flat_weights is self._list:
            self.owner._flat_weights = self._before
