"""Custom operators by which compiled programs call a monitor; opaque to the compiler.

A hook that the compiler skips causes a graph break at every site, and an error under
`fullgraph=True`. A counter that changes at every call would cause a recompilation at every call. As
operators, the reads are part of the program and run with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from regularizers.modules import Activation, Handles


class Observer(Protocol):
    """The part of a monitor that its hooks call."""

    def begin(self) -> None:
        """Begin a forward of the model."""

    def read(self, tap: int, activation: Activation) -> None:
        """Add the activation that tap number `tap` has read."""

    def end(self) -> None:
        """End the forward of the model."""


OBSERVERS: Handles[Observer] = Handles()
"""The observers by handle, which compiled programs store."""


def begin(order: Tensor, handle: int) -> None:
    """Begin a forward when the program runs."""
    torch.ops.regularizers.monitor_begin(order, handle)


def read(order: Tensor, activation: Activation, handle: int, tap: int) -> None:
    """Pass an activation to the observer when the program runs."""
    x, batch_axis, mask = activation[:3]
    axes = list(batch_axis) if isinstance(batch_axis, tuple) else [batch_axis]
    torch.ops.regularizers.monitor_read(order, x, axes, mask, handle, tap)


def end(order: Tensor, handle: int) -> None:
    """End the forward when the program runs."""
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


# The schema declares that the operators change `order`, which they never do, so that the compiler
# neither removes nor reorders them. custom_op would increment the version counter of `order`, and a
# checkpoint that saved it would raise.
_library = torch.library.Library("regularizers", "FRAGMENT")  # type: ignore[no-untyped-call]
_TAGS = [getattr(torch.Tag, name) for name in ("cudagraph_unsafe",) if hasattr(torch.Tag, name)]
_READ = "Tensor(a!) order, Tensor x, int[] axes, Tensor? mask, int handle, int tap"


def _declare(name: str, arguments: str, function: Callable[..., None]) -> None:
    schema = f"{name}({arguments}) -> ()"
    _library.define(schema, tags=(torch.Tag.pt2_compliant_tag, *_TAGS))  # type: ignore[no-untyped-call]
    # the compiled program calls it, and it must not be compiled itself
    eager = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    _library.impl(name, eager, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"regularizers::{name}", lambda *_: None, lib=_library)


_declare("monitor_begin", "Tensor(a!) order, int handle", _begin)
_declare("monitor_read", _READ, _read)
_declare("monitor_end", "Tensor(a!) order, int handle", _end)
