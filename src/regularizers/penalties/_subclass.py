"""Checks of subclasses: none inherits half of another formula, or its properties.

A subclass that changes the formula gets the defaults of `Formula` back: it saves its input, has no
proximal step, and its statistics are additive. Kernels are found by exact type, so a subclass never
inherits one.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import inspect
from collections.abc import Callable
from typing import Any

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, Denominator, Namespace, divide

_FACE = ("__call__", "gradient", "value_and_gradient", "apply", "prox")

_HALVES = (("element", "element_slope"), ("statistic", "pullback"), ("value", "derivative"))
"""Pairs of a function and its derivative, which must be of one formula."""

_OF_PULLBACK = ("gathered", "weight")
"""The methods that `pullback` of a penalty of blocks depends on."""

_ELEMENTS = {"element", "element_slope"}
_READING = {"statistic", "pullback"}
_NUMBER = {"value", "derivative", "denominator"}
_BLOCKS = {"within", "gathered", "spans_samples", "weight", "divisor"}
_FORMULA = _ELEMENTS | _READING | _NUMBER | _BLOCKS

_PROPERTIES = {
    "saves": _ELEMENTS | _READING,
    "sums_elements": _READING | _NUMBER,
    "takes_empty": _READING,
    **dict.fromkeys(("to_sum", "from_sum"), _READING | _BLOCKS),
    **dict.fromkeys(("stage", "proximal_step"), _FORMULA),
}
"""Properties of a formula, each with the methods on which it depends."""


def settle(penalty: type) -> None:
    """Check a new class of penalties, and reset the properties that it cannot inherit.

    Raises:
        ConfigurationError: half of its formula is inherited, or the formula works on arrays only.
    """
    _check_face(penalty)
    if not any("sums_elements" in vars(base) for base in penalty.__mro__[1:]):
        _check_terms(penalty)  # a sum, whose formulas are its terms
        return
    _check_fields(penalty)
    for function, derivative in _HALVES:
        _check_half(penalty, function, derivative)
        _check_half(penalty, derivative, function)
    for name in _OF_PULLBACK:
        _check_half(penalty, name, "pullback")
    for name, methods in _PROPERTIES.items():
        _reset(penalty, name, methods)
    for name in ("value", "derivative"):
        _divide(penalty, name)


def _check_face(penalty: type) -> None:
    for name in _FACE:
        if len(_declaring(penalty, name)) > 1:
            raise ConfigurationError(
                f"{penalty.__name__}: expected a formula that holds for arrays and models alike, "
                f"got {name}(), which no model calls; define the formula by element and "
                f"element_slope, or by statistic and pullback"
            )


def _check_terms(penalty: type) -> None:
    changed = [name for name in _FORMULA if _depth(penalty, name) < _depth(penalty, "terms")]
    if changed:
        raise ConfigurationError(
            f"{penalty.__name__}: expected a sum of penalties, which `terms` returns, got "
            f"{' and '.join(sorted(changed))}, which nothing calls; derive from the penalty that "
            f"is summed, and return it from terms"
        )


def _check_fields(penalty: type) -> None:
    if _declaring(penalty, "frame")[:-1]:
        raise ConfigurationError(
            f"{penalty.__name__}: frame: expected that of Formula, since a site says itself "
            f"which axes count samples; to divide by something else declare denominator"
        )
    if "__dataclass_fields__" not in vars(_declaring(penalty, "__init__")[0]):
        raise ConfigurationError(
            f"{penalty.__name__}: expected the __init__ of a dataclass, got one of its own, whose "
            f"settings a model's copies would lack; decorate the class with "
            f"dataclass(frozen=True) and declare its settings as fields"
        )


def _check_half(penalty: type, changed: str, other: str) -> None:
    """Raise if a class changes only one of two functions that belong together."""
    declaring = _declaring(penalty, changed)
    if not declaring or _depth(penalty, changed) >= _depth(penalty, other):
        return
    if any(not _is_abstract(vars(base)[changed]) for base in declaring[1:]):
        parent = declaring[1].__name__
        raise ConfigurationError(
            f"{penalty.__name__}: expected {changed} and {other} of one formula, got {changed} "
            f"alone; declare {other} too, if it is the same as before by "
            f"`{other} = {parent}.{other}`"
        )


def _reset(penalty: type, name: str, methods: set[str]) -> None:
    """Reset a property that the class would inherit from another formula to its default."""
    depth = min(_depth(penalty, method) for method in methods)
    if depth < _depth(penalty, name) < len(penalty.__mro__):
        setattr(penalty, name, vars(_declaring(penalty, name)[-1])[name])


def _divide(penalty: type, name: str) -> None:
    """Divide the result of a function by the denominator, unless the function reads it."""
    function = vars(_declaring(penalty, name)[0])[name]
    is_static = isinstance(function, staticmethod)
    plain = function.__func__ if is_static else function
    if not inspect.isfunction(plain) or _is_abstract(plain) or hasattr(plain, "divides"):
        return
    innermost = inspect.unwrap(plain)
    if inspect.isfunction(innermost) and not _reads(innermost, 1 if is_static else 2):
        setattr(penalty, name, _divided(plain, is_static=is_static))


def _divided(function: Callable[..., Array], *, is_static: bool) -> Callable[..., Array]:
    @functools.wraps(function)
    def divided(self: Any, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        arguments = (statistic, denominator, xp)
        result = function(*arguments) if is_static else function(self, *arguments)
        counts = tuple(getattr(denominator, "shape", ()))
        if counts and counts != tuple(result.shape):
            raise ConfigurationError(
                f"{type(self).__name__}: {function.__name__}: expected a function that divides by "
                f"its denominator, which here is one count for each unit, of shape {counts}, got "
                f"one that does not read it; divide by it there"
            )
        return divide(xp, result, denominator)

    divided.divides = True  # type: ignore[attr-defined]
    return divided


def _reads(function: Callable[..., Any], position: int) -> bool:
    """Return whether a function ever loads the argument at `position`."""
    code = function.__code__
    if position >= code.co_argcount:  # the argument is in *arguments, if the function has them
        position = code.co_argcount + code.co_kwonlyargcount
        if not code.co_flags & inspect.CO_VARARGS:
            return True  # its calling convention is unknown
    name = code.co_varnames[position]
    return name in code.co_cellvars or any(
        "LOAD_FAST" in instruction.opname
        and name in (instruction.argval, *_several(instruction.argval))
        for instruction in dis.get_instructions(code)
    )


def _several(names: Any) -> tuple[Any, ...]:
    """Return the names of an instruction that loads two locals."""
    return names if isinstance(names, tuple) else ()


def _declaring(penalty: type, name: str) -> list[type]:
    """Return the classes that declare an attribute, the most derived first."""
    return [base for base in penalty.__mro__ if name in vars(base)]


def _depth(penalty: type, name: str) -> int:
    """Return the position in the MRO that declares an attribute; the length of the MRO if none."""
    declaring = _declaring(penalty, name)
    return penalty.__mro__.index(declaring[0]) if declaring else len(penalty.__mro__)


def _is_abstract(attribute: object) -> bool:
    return bool(getattr(attribute, "__isabstractmethod__", False))


@functools.cache
def check_settings(penalty: type) -> None:
    """Raise unless the fields of a class are its settings, and `==` compares all of them.

    Raises:
        ConfigurationError: a class attribute has the name of a field, so no instance sees it; or a
            field is not compared, so penalties that differ would be read together.
    """
    for field in dataclasses.fields(penalty):
        if field.init and not field.compare:
            raise ConfigurationError(
                f"{penalty.__name__}: {field.name}: expected a field that is compared, since "
                f"penalties that are equal are read together; leave compare=False out, or decorate "
                f"the class with dataclass(frozen=True, eq=False)"
            )
        for base in _declaring(penalty, field.name)[:1]:
            value = vars(base)[field.name]
            if value is not field.default and not inspect.ismemberdescriptor(value):
                default = f"field(default={value!r}, kw_only=True)" if field.kw_only else value
                raise ConfigurationError(
                    f"{penalty.__name__}: {field.name}: expected a field, got the attribute "
                    f"{value!r}, which no instance sees; write `{field.name}: TYPE = {default}` "
                    f"and decorate the class with dataclass(frozen=True)"
                )
