"""Penalties and constraints as the text of the call that makes them, and back from it.

The settings of a saved model are plain JSON. The `repr` of a penalty is such a text already; it is
read here without `eval`: only numbers, tuples, sums, and calls of penalties and constraints.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

from regularizers import constraints, penalties
from regularizers.constraints import Constraint
from regularizers.errors import ConfigurationError
from regularizers.penalties import Penalty

_NUMBERS = {"inf": math.inf, "nan": math.nan}


def text_of(value: Any) -> str:
    """Return the `repr` of a penalty or constraint from which `value_of` makes it again.

    Raises:
        ConfigurationError: its `repr` is not the call that makes it.
    """
    text, known = repr(value), dict(_named(value))
    try:
        same = _settings(value_of(text, known.get)) == _settings(value)
    except Exception:
        same = False
    if not same:
        raise ConfigurationError(
            f"{text}: expected a value that its text makes again, to save it with a model; give "
            f"functions a name by def, and keep arrays out of the settings"
        )
    return text


def value_of(text: str, other: Callable[[str], Any]) -> Any:
    """Return the penalty or constraint of a text that `text_of` returned.

    Args:
        text: the text.
        other: returns the class or function of a name that the library does not have, or None.

    Raises:
        ConfigurationError: it is no such text, or a name is unknown.
    """

    def read(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=constant):
                return constant
            case ast.Tuple(elts=elements):
                return tuple([read(element) for element in elements])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -read(operand)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return read(left) + read(right)
            case ast.Name(id=name):
                return _NUMBERS[name] if name in _NUMBERS else known(name)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
                made = known(name)
                if inspect.isclass(made) and issubclass(made, (Penalty, Constraint)):
                    by_name = {str(k.arg): read(k.value) for k in keywords}
                    return made(*[read(argument) for argument in arguments], **by_name)
        raise ConfigurationError(f"expected the text of a penalty or constraint, got {text!r}")

    def known(name: str) -> Any:
        found = getattr(penalties, name, None) or getattr(constraints, name, None) or other(name)
        if found is None:
            raise ConfigurationError(
                f"{text}: {name} is unknown here; if it is your own, load the model with "
                f"custom_objects={{{name!r}: {name}}}"
            )
        return found

    try:
        return read(ast.parse(text, mode="eval").body)
    except SyntaxError:
        raise ConfigurationError(
            f"expected the text of a penalty or constraint, got {text!r}"
        ) from None


def _settings(value: Any) -> Any:
    """Return what is the same for two values that do the same, such as a sum and its terms."""
    return value.terms if isinstance(value, Penalty) else value


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the classes and functions in a value, by name."""
    if inspect.isroutine(value):
        yield value.__name__, value
    elif isinstance(value, tuple):
        for part in value:
            yield from _named(part)
    elif dataclasses.is_dataclass(value):
        yield type(value).__name__, type(value)
        for field in dataclasses.fields(value):
            yield from _named(getattr(value, field.name))
