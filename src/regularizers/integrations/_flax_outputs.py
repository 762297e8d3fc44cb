"""Records the penalties of modules' outputs, where Flax calls the modules."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from flax import nnx

from regularizers.errors import OutputError, RegularizersError

Path = tuple[Any, ...]


@jax.tree_util.register_static
@dataclass(frozen=True)
class Unit:
    """A penalty at strength 1, and the part of an output that it is of.

    It is a part of the structure that JAX compares, so code that was compiled for another penalty
    is not taken for this one.
    """

    term: Any
    select: Any
    axis_name: str | None
    site: str

    def of(self, output: Any) -> Any:
        """Return the penalty of an output."""
        if callable(self.select):
            output = self.select(output)
        elif self.select is not None:
            output = output[self.select]
        if not isinstance(output, jax.Array):
            raise OutputError(
                f"{self.site}: expected an array as output, got {type(output).__name__}; say which "
                f"part of it: activity(..., select=)"
            )
        try:
            return self.term(output, axis_name=self.axis_name)
        except RegularizersError as error:
            raise type(error)(f"{self.site}: {error}") from None


class _Recorded(nnx.Intermediate):  # type: ignore[misc]
    """A unit, and its penalty for each call of a module."""


def record(
    forward: Any, modules: Iterable[nnx.Module], units: Mapping[Path, Unit]
) -> Callable[..., tuple[Any, dict[Path, tuple[Any, ...]]]]:
    """Return a forward that also returns the penalty of each unit, one for each call.

    Args:
        forward: a module, or a method of one.
        modules: all modules within.
        units: by the path of a module, and a name of its own.
    """

    def recording(*inputs: Any, **options: Any) -> tuple[Any, dict[Path, tuple[Any, ...]]]:
        begun = nnx.statelib.from_flat_state({p: _Recorded((u,)) for p, u in units.items()})
        with _calls_recorded(modules):
            output, ended = nnx.capture(forward, _Recorded, init=begun)(*inputs, **options)
        return output, {path: one.get_value()[1:] for path, one in nnx.to_flat_state(ended)}

    return recording


_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def _calls_recorded(modules: Iterable[nnx.Module]) -> Iterator[None]:
    """Let the types of modules record; they are as before when this ends."""
    with _one_at_a_time:
        types = {type(module) for module in modules}
        calls = {owner: vars(owner)["__call__"] for kind in types for owner in _owner(kind)}
        for owner, call in calls.items():
            owner.__call__ = _recorded(call)
        try:
            yield
        finally:
            for owner, call in calls.items():
                owner.__call__ = call
            for module in modules:
                if hasattr(module, "__captures__"):  # nnx.capture leaves it after an exception
                    del module.__captures__


def _owner(kind: Any) -> list[Any]:
    """Return the class that defines the call of a type, if one does."""
    return [base for base in kind.__mro__ if "__call__" in vars(base)][:1]


def _recorded(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def recorded(self: Any, *inputs: Any, **options: Any) -> Any:
        output = call(self, *inputs, **options)
        if type(self).__call__ is recorded:  # else a subclass has called super(), and is recorded
            for captured in getattr(self, "__captures__", ()):
                for name, (unit, *_) in list(captured.items()):
                    self.sow(_Recorded, name, unit.of(output))
        return output

    return recorded
