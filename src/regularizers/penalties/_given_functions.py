"""Functions that a user gives: their names, and whether they add up."""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, Namespace

Function: TypeAlias = Callable[[Namespace, Array], Array]


def name_of(function: Function, default: str) -> str:
    """Return the name of a function, `default` if it has none."""
    name = getattr(function, "__name__", "<lambda>")
    return default if name == "<lambda>" else str(name)


def check_given(function: object, what: str) -> None:
    """Raise unless `function` can be called, compared and looked up."""
    if not callable(function):
        raise ConfigurationError(
            f"{what}: expected a function of an array namespace and an array, such as "
            f"lambda xp, x: xp.log(1 + x * x), got {function!r}"
        )
    try:
        hash(function)
    except TypeError:
        raise ConfigurationError(
            f"{what}: expected a function that can be hashed, got a {type(function).__name__}; "
            f"penalties are compared by their functions"
        ) from None


def check_name(name: object) -> None:
    """Raise unless `name` can be a part of a key."""
    if name is None or (isinstance(name, str) and name.strip() and not set(name) & set("/#")):
        return
    raise ConfigurationError(
        f"name: expected a text without '/' and '#', which stands in keys, got {name!r}"
    )


def check_adds_up(function: Function, over: str, label: str) -> None:
    """Raise if a function is no sum over samples, or over elements, as far as it can be seen.

    It is tried on an array that is made up; a function that asks for another shape is not.
    """
    rows = [[0.3, -1.2, 2.1], [-0.7, 0.4, 1.6], [1.1, -0.2, 0.9], [0.6, 1.3, -1.9]]
    whole = [x for row in rows for x in row] if over == "elements" else rows
    for xp in libraries():
        arrays = [array_of(xp, part) for part in (whole, whole[:1], whole[1:])]
        try:
            with quiet(xp):
                together, first, others = [float(function(xp, x)) for x in arrays]
        except Exception:  # whatever a user's function raises
            continue
        if math.isfinite(together) and not math.isclose(
            together, first + others, rel_tol=1e-3, abs_tol=1e-5
        ):
            raise ConfigurationError(
                f"{label}: additive={over!r}: expected a sum over {over}, got a function that is "
                f"{together:.6g} of an array and {first:.6g} and {others:.6g} of its two parts; "
                f"leave a mean to reduce=, or say additive=None"
            )
        return


def check_leaves_array(function: Function, over: str | None, label: str) -> None:
    """Raise if a function writes into its array, as far as it can be tried on a made-up one."""
    values: Sequence[Any] = [[0.3, -1.2, 2.1], [-0.7, 0.4, 1.6], [1.1, -0.2, 0.9]]
    if over == "elements":
        values = [x for row in values for x in row]
    for xp in libraries():
        x, before = array_of(xp, values), array_of(xp, values)
        try:
            with quiet(xp):
                function(xp, x)
        except Exception:  # whatever a user's function raises
            continue
        if not bool(xp.all(x == before)):
            raise ConfigurationError(
                f"{label}: expected a function that leaves its array as it is, got one that "
                f"writes into it; make a new array"
            )
        return


def libraries() -> Iterator[Namespace]:
    """Yield the array libraries that are there, those first that are quick to load."""
    for name in ("array_api_compat.numpy", "array_api_compat.torch"):
        with contextlib.suppress(ImportError):
            yield importlib.import_module(name)
    if "jax.numpy" in sys.modules:
        yield sys.modules["jax.numpy"]


def array_of(xp: Namespace, values: Sequence[Any]) -> Array:
    """Return an array in float64, or in float32 of JAX where that has no other."""
    return xp.asarray(values, dtype=float if library_name(xp) == "jax" else xp.float64)


@contextlib.contextmanager
def quiet(xp: Namespace) -> Iterator[None]:
    """Let a library say nothing of overflow, and record nothing."""
    with contextlib.ExitStack() as stack:
        if hasattr(xp, "errstate"):
            stack.enter_context(xp.errstate(all="ignore"))
        if hasattr(xp, "no_grad"):
            stack.enter_context(xp.no_grad())
        yield


def library_name(xp: Namespace) -> str:
    """Return the name of the library of a namespace."""
    return str(xp.__name__.replace("array_api_compat.", "").partition(".")[0])
