"""The sources that a monitor reads: inputs and outputs of modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from regularizers.errors import OutputError, SelectionError
from regularizers.modules import (
    Activation,
    Select,
    Where,
    activation_of,
    check_is_no_proxy,
    describe,
    described,
    printable,
    refuse_nested,
    select_modules,
)


@dataclass(frozen=True)
class Source:
    """The input or the output of one module; made by `input_of` and `output_of`.

    Args:
        kind: `"input"` or `"output"`.
        where: one module, as in `input_of`.
        select: which argument, or which part of an output, as in `input_of` and `output_of`.

    Example:
        >>> import regularizers as rz
        >>> source = rz.monitor.input_of("encoder", select=0)
        >>> source.kind, source.where, source.select
        ('input', 'encoder', 0)
    """

    kind: Literal["input", "output"]
    where: Where
    select: Select | None = None

    def __str__(self) -> str:
        return f"{self.kind} of {described(self.where)}"

    def module_in(self, model: nn.Module, pair: str) -> tuple[str, nn.Module]:
        """Return the name of the module, and the module.

        Args:
            model: the model that it is in.
            pair: the name of the pair, for messages.

        Raises:
            SelectionError: no module matches, or several.
        """
        found = select_modules(model, self.where, f"pairs[{pair!r}]")
        if len(found) > 1:
            names = ", ".join(printable(name) for name, _ in found[:4])
            raise SelectionError(
                f"pairs[{pair!r}]: expected one module, where={described(self.where)} matches "
                f"{len(found)}: {names}; name one of them"
            )
        return found[0]

    def read(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        keywords: Mapping[str, Any],
        output: Any,
        site: str,
    ) -> Activation:
        """Return the selected tensor of the input or output of `module`.

        Args:
            module: the module that ran.
            inputs: its positional arguments.
            keywords: its keyword arguments.
            output: what it returned.
            site: its name, for messages.

        Raises:
            OutputError: there is no tensor, or it is not real floating point, or nested.
        """
        if self.kind == "output":
            activation = activation_of(module, output, self.select, site)
        else:
            activation = Activation(_given(inputs, keywords, self.select, site), 0)
        refuse_nested(activation.x, "a monitor", site)
        return activation


def input_of(where: Where, *, select: Select | None = None) -> Source:
    """Name the input of a module as one side of a pair.

    Args:
        where: one module: its name, its type, the module itself, or a predicate.
        select: the argument: its place, its name if it is passed by keyword, or a function of all
            arguments; the first by default. Its axis 0 counts samples.

    Returns:
        A side for `Monitor(..., pairs={name: (target, reconstruction)})`.

    Example:
        >>> import regularizers as rz
        >>> str(rz.monitor.input_of("encoder"))
        "input of 'encoder'"
    """
    return Source("input", where, select)


def output_of(where: Where, *, select: Select | None = None) -> Source:
    """Name the output of a module as one side of a pair; a plain `where` does the same.

    Args:
        where: one module: its name, its type, the module itself, or a predicate.
        select: the part of an output that is no tensor, as in `activity`.

    Returns:
        A side for `Monitor(..., pairs={name: (target, reconstruction)})`.

    Example:
        >>> import regularizers as rz
        >>> str(rz.monitor.output_of("decoder"))
        "output of 'decoder'"
    """
    return Source("output", where, select)


def _given(
    inputs: tuple[Any, ...], keywords: Mapping[str, Any], select: Select | None, site: str
) -> Tensor:
    try:
        if callable(select):
            x = select(*inputs, **keywords)
        elif isinstance(select, str):
            x = keywords[select]
        else:
            x = inputs[select or 0]
    except (IndexError, KeyError, TypeError) as error:
        raise OutputError(
            f"{site}: select={select!r} finds nothing in the input, which is "
            f"{_arguments(inputs, keywords)} ({type(error).__name__}: {error})"
        ) from None
    if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
        check_is_no_proxy(x, site)
        raise OutputError(
            f"{site}: expected an input that is a tensor of a real floating type, got "
            f"{describe(x)}; say which of {_arguments(inputs, keywords)} with "
            f"input_of(..., select=PLACE, NAME or FUNCTION)"
        )
    return x


def _arguments(inputs: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    named = [f"{name}={describe(value)}" for name, value in keywords.items()]
    return f"({', '.join([*map(describe, inputs), *named])})"
