"""What a compiled program calls of a monitor, and does not look into.

A hook that the compiler passed by would break its program in two at every site, or not compile at
all where the whole model must be one program; and what is counted at each call would be compiled
anew at each. So the program holds the reading as an operation, which runs when it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from regularizers.modules import Activation, Handles


class Observer(Protocol):
    """The side of a monitor on which its hooks are."""

    def begin(self) -> None:
        """Know that a forward of the model begins."""

    def read(self, tap: int, activation: Activation) -> None:
        """Take what the hook of number `tap` has read."""

    def end(self) -> None:
        """Know that a forward of the model has ended."""


OBSERVERS: Handles[Observer] = Handles()
"""The monitors that programs know."""


def begin(order: Tensor, handle: int) -> None:
    """Tell the observer, when the program runs, that a forward begins."""
    torch.ops.regularizers.monitor_begin(order, handle)


def read(order: Tensor, activation: Activation, handle: int, tap: int) -> None:
    """Hand over what a tap has read, when the program runs."""
    x, batch_axis, mask = activation[:3]
    axes = list(batch_axis) if isinstance(batch_axis, tuple) else [batch_axis]
    torch.ops.regularizers.monitor_read(order, x, axes, mask, handle, tap)


def end(order: Tensor, handle: int) -> None:
    """Tell the observer, when the program runs, that a forward has ended."""
    torch.ops.regularizers.monitor_end(order, handle)


def _begin(order: Tensor, handle: int) -> None:
    if observer := OBSERVERS.find(handle):
        observer.begin()


def _read(
    order: Tensor, x: Tensor, axes: list[int], mask: Tensor | None, handle: int, tap: int
) -> None:
    if observer := OBSERVERS.find(handle):
        observer.read(tap, Activation(x, tuple(axes), mask))


def _end(order: Tensor, handle: int) -> None:
    if observer := OBSERVERS.find(handle):
        observer.end()


# Declared rather than made by custom_op: that they change `order`, which they leave as it is, keeps
# them in their order and in the program. custom_op would count it as a change, which a checkpoint
# that saves `order` then takes for a fault.
_library = torch.library.Library("regularizers", "FRAGMENT")  # type: ignore[no-untyped-call]
_TAGS = [getattr(torch.Tag, name) for name in ("cudagraph_unsafe",) if hasattr(torch.Tag, name)]
_READ = "Tensor(a!) order, Tensor x, int[] axes, Tensor? mask, int handle, int tap"


def _declare(name: str, arguments: str, function: Callable[..., None]) -> None:
    schema = f"{name}({arguments}) -> ()"
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag, *_TAGS))  # type: ignore[no-untyped-call]
    # it runs among what is compiled, and must not be compiled itself
    aside = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    _library.impl(name, aside, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"regularizers::{name}", lambda *_: None, lib=_library)


_declare("monitor_begin", "Tensor(a!) order, int handle", _begin)
_declare("monitor_read", _READ, _read)
_declare("monitor_end", "Tensor(a!) order, int handle", _end)
