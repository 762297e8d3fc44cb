"""Follows the output of a layer to the layer that reads it, in the graph of `torch.fx`."""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx, nn
from torch.nn.utils import parametrize

from regularizers.errors import SelectionError
from regularizers.modules import UnreadMark, printable
from regularizers.pruning._passing import DROPOUTS, ELEMENTWISE, NORMS, POOLS

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYERS = (nn.Linear, *CONVOLUTIONS)


class CannotFollowError(Exception):
    """The reason why the output of a layer cannot be followed."""


@dataclass(frozen=True)
class Chain:
    """A layer, the modules that its output passes, and the layer that reads it, by name."""

    layer: str
    passed: tuple[str, ...]
    reader: str


class Graphs:
    """The graphs of a model's forward in training and in evaluation.

    The forward is traced as it is called with its required arguments alone.

    Args:
        model: a copy of the model, whose modes and buffers the trace may change.

    Raises:
        SelectionError: the forward of a module cannot be traced.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._graphs = [_traced(model.train(mode)) for mode in (True, False)]

    def chain(self, layer: str) -> Chain | None:
        """Return the way from a layer to its reader; None if the model returns its output.

        Raises:
            CannotFollowError: there is no such way, or none that is the same in both modes.
        """
        first, second = [_follow(graph, self._model, layer) for graph in self._graphs]
        if first != second:
            raise CannotFollowError("its output takes another way in training than in evaluation")
        return first


class _Tracer(fx.Tracer):
    """Traces into containers; a module without children is one call, whatever it does."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = [""]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether the module is one call in the graph."""
        childless = next(m.children(), None) is None
        return childless or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Record the call, and where the trace is in case it fails."""
        self.entered.append(self.path_of_module(m))
        result = super().call_module(m, forward, args, kwargs)
        self.entered.pop()
        return result


def _traced(model: nn.Module) -> fx.Graph:
    parameters = inspect.signature(model.forward).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    tracer = _Tracer()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of defaults that are no numbers
            return tracer.trace(model, defaults)
    except Exception as reason:
        name = tracer.entered[-1]
        module = model.get_submodule(name)
        raise SelectionError(
            f"compact: expected a forward that torch.fx can trace, but that of "
            f"{printable(name)} ({type(module).__name__}) raises {type(reason).__name__}: "
            f"{str(reason).partition(chr(10))[0]}; compact a part of the model that can be traced"
        ) from reason


def _follow(graph: fx.Graph, model: nn.Module, layer: str) -> Chain | None:
    if not layer:
        return None  # the layer is the model
    called = [node for node in graph.nodes if node.op == "call_module"]
    calls = Counter([node.target for node in called])
    read_elsewhere = {str(n.target).rpartition(".")[0] for n in graph.nodes if n.op == "get_attr"}
    node = next((node for node in called if node.target == layer), None)
    if node is None:
        raise CannotFollowError("its forward is not seen: another module calls it, or none")
    if not _is_read(node, model):
        return None
    way: list[str] = []
    while True:
        name = str(node.target)
        module = model.get_submodule(name)
        if calls[name] > 1:
            raise CannotFollowError(f"{name} is called {calls[name]} times, as a shared module is")
        if name in read_elsewhere:
            raise CannotFollowError(f"the parameters of {name} are read outside of it")
        _check_is_plain(name, module)
        _check_keeps_units(name, [model.get_submodule(one) for one in (*way, name)])
        way.append(name)
        if len(way) > 1 and type(module) in LAYERS:
            return Chain(layer, tuple(way[1:-1]), name)
        following = _only_reader(node)
        if following is None:
            return None
        node = following


def _is_read(node: fx.Node, model: nn.Module) -> bool:
    """Return whether anything with weights reads an output, directly or through others."""
    seen: set[fx.Node] = set()
    waiting = list(node.users)
    while waiting:
        reader = waiting.pop()
        if any(given.op == "get_attr" for given in reader.all_input_nodes):
            return True
        if reader.op == "call_module":
            module = model.get_submodule(str(reader.target))
            if next(module.parameters(), None) is not None:
                return True
        waiting += [after for after in reader.users if after not in seen]
        seen.update(reader.users)
    return False


def _only_reader(node: fx.Node) -> fx.Node | None:
    """Return the call of the module that reads an output; None if nothing or the caller does."""
    readers = list(node.users)
    if not readers or any(reader.op == "output" for reader in readers):
        return None
    if len(readers) > 1:
        raise CannotFollowError(
            f"the output of {node.target} is read {len(readers)} times, as in a residual sum"
        )
    (reader,) = readers
    if reader.op != "call_module" or reader.args != (node,) or reader.kwargs:
        called = reader.target if isinstance(reader.target, str) else reader.name
        raise CannotFollowError(f"the output of {node.target} goes into {called}")
    return reader


def _check_is_plain(name: str, module: nn.Module) -> None:
    """Raise unless a module computes what its type says, from its own parameters."""
    if parametrize.is_parametrized(module):
        raise CannotFollowError(
            f"{name} is parametrized; parametrize.remove_parametrizations makes it plain"
        )
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    if not all(isinstance(hook, UnreadMark) for hook in hooks):
        raise CannotFollowError(f"{name} has forward hooks, which may change what it computes")
    if getattr(module, "groups", 1) != 1:
        raise CannotFollowError(f"{name} is a grouped convolution")


def _check_keeps_units(name: str, way: Sequence[Any]) -> None:
    """Raise unless the last module of a way is one that keeps the units of the first apart.

    The units of a convolution are axis 1, before the positions; `Flatten` makes each of them
    several in turn. The units of a linear layer are the last axis.
    """
    layer, module = way[0], way[-1]
    kind = type(module)
    convolved = type(layer) in CONVOLUTIONS
    flat = nn.Flatten in [type(passed) for passed in way[1:-1]]
    positioned = convolved and not flat
    units = layer.out_channels if convolved else layer.out_features
    size = units
    if len(way) == 1:
        known = kind in LAYERS
    elif kind is nn.Linear:
        known, size = not positioned, module.in_features
    elif kind in CONVOLUTIONS:
        known, size = positioned and kind is type(layer), module.in_channels
    elif kind in NORMS:
        known, size = True, module.num_features
    elif kind in POOLS:
        known = positioned
    elif kind is nn.Flatten:
        known = (module.start_dim, module.end_dim) == (1, -1)
    else:
        known = kind in ELEMENTWISE or kind in DROPOUTS
    fits = size % units == 0 if convolved and flat else size == units
    if not (known and fits):
        raise CannotFollowError(
            f"{name} ({kind.__name__}) is none of these, or does not take its {units} units"
        )
