"""Substitutes the weights of a module for one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from regularizers.errors import RegimeError
from regularizers.layers._memory_layout import laid_out_as


class WeightSlot(NamedTuple):
    """A parameter of a module, by owner and name."""

    owner: nn.Module
    name: str

    def read(self) -> Tensor:
        """Return the weight that a call of the owner would use now."""
        if isinstance(self.owner, nn.RNNBase) and self.name in self.owner._flat_weights_names:
            self.owner._update_flat_weights()
            return _named_flat_weights(self.owner)[self.name]
        weight: Tensor = getattr(self.owner, self.name)
        return weight


def _named_flat_weights(rnn: nn.RNNBase) -> dict[str, Tensor]:
    """Return the weights that a recurrent layer passes to its kernel, by name."""
    named = dict(zip(rnn._flat_weights_names, rnn._flat_weights, strict=True))
    return cast(
        "dict[str, Tensor]", named
    )  # entries are None only inside PyTorch's own conversions


@contextmanager
def substituted(weights: Mapping[WeightSlot, Tensor]) -> Iterator[None]:
    """Let the modules use `weights` inside the context, and restore their own on exit.

    A recurrent layer keeps its parameters; only the list that it passes to its kernel is replaced.
    `functional_call` would replace the parameters too: on a GPU the layer then moves all of them in
    memory, which breaks the backward of an earlier forward.

    Raises:
        RegimeError: something else replaced the weights inside the context, so `weights` were not
            used.
    """
    recurrent: dict[nn.RNNBase, dict[str, Tensor]] = {}
    substitutes: list[_Parameter | _FlatWeights] = []
    for (owner, name), weight in weights.items():
        if isinstance(owner, nn.RNNBase) and name in owner._flat_weights_names:
            recurrent.setdefault(owner, {})[name] = weight
        else:
            substitutes.append(_Parameter(owner, name, weight))
    substitutes += [_FlatWeights(owner, named) for owner, named in recurrent.items()]
    installed: list[_Parameter | _FlatWeights] = []
    try:
        for one in substitutes:
            one.install()
            installed.append(one)
        yield
        for one in installed:
            if not one.is_installed():
                raise RegimeError(
                    f"{type(one.owner).__name__}: its weights were exchanged while it ran, so "
                    f"the dropped weights were not used; apply what exchanges them (fully_shard, "
                    f"the older weight_norm) to the layer that drops weights, and not to the "
                    f"module in it"
                )
    finally:
        for one in reversed(installed):
            one.restore()


class _Parameter:
    """Replaces an entry of a module's `_parameters`."""

    def __init__(self, owner: nn.Module, name: str, weight: Tensor) -> None:
        self.owner = owner
        self._name = name
        self._weight = weight
        self._before = owner._parameters[name]
        # typed for parameters, but any tensor is accepted; functional_call does the same
        self._slots = cast("dict[str, Tensor | None]", owner._parameters)

    def install(self) -> None:
        self._slots[self._name] = self._weight

    def is_installed(self) -> bool:
        return self._slots.get(self._name) is self._weight

    def restore(self) -> None:
        if self.is_installed():
            self._slots[self._name] = self._before


class _FlatWeights:
    """Replaces the list of weights that a recurrent layer passes to its kernel."""

    def __init__(self, owner: nn.RNNBase, weights: Mapping[str, Tensor]) -> None:
        self.owner = owner
        self._before = owner._flat_weights
        named = _named_flat_weights(owner)
        flat = [weights.get(name, weight) for name, weight in named.items()]
        # Dynamo cannot read storage offsets, and compiled code arranges the weights itself
        compiling = torch.compiler.is_compiling()
        self._weights = flat if compiling else laid_out_as([*named.values()], flat)
        self._list: list[Any | None] = [*self._weights]

    def install(self) -> None:
        self.owner._flat_weights = self._list

    def is_installed(self) -> bool:
        if self.owner._flat_weights is not self._list:
            return False
        return all(a is b for a, b in zip(self._list, self._weights, strict=True))

    def restore(self) -> None:
        if self.owner._flat_weights is self._list:
            self.owner._flat_weights = self._before
