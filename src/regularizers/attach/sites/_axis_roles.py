"""The output and input axes of the weights of known modules."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from torch import nn

from regularizers.constraints import Constraint, VectorConstraint
from regularizers.errors import ConfigurationError
from regularizers.penalties import Budget, Formula, GroupLasso, MatrixTerm, Several
from regularizers.penalties.arrays import Side

Shape: TypeAlias = tuple[int, ...]

_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?")
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
_BY_NUMBER = "name the axis by its number, such as axis=0, in a rule for this weight"


class _Axes(NamedTuple):
    """The axes of the outputs or inputs, in the weight reshaped to `view`; None: as it is."""

    numbers: tuple[int, ...]
    view: Shape | None = None


class _UnknownError(Exception):
    """The reason why the axes are unknown, and the cure."""

    def __init__(self, reason: str, cure: str = _BY_NUMBER) -> None:
        super().__init__(f"{reason}; {cure}")


def view_of(
    owner: nn.Module, name: str, shape: Sequence[int], term: Formula, site: str | None = None
) -> tuple[Shape | None, Formula]:
    """Return the shape in which to read a weight, or None, and the penalty with axes by number.

    Args:
        owner: the module of the weight.
        name: the attribute of the module that is read.
        shape: the shape of the weight.
        term: the penalty; if its axis is not "output" or "input", it is returned unchanged.
        site: the name of the weight in messages.

    Raises:
        ConfigurationError: the layout is unknown, the weight has no such axis, or the penalty has
            a batch axis, which the view does not have.
    """
    if not term.by_role:
        return None, term
    if isinstance(term, Budget):
        view, inner = view_of(owner, name, shape, term.of, site)
        unit = dataclasses.replace(inner, strength=1.0, reduce=None, batch_axis=None)
        return view, dataclasses.replace(term, penalty=unit)  # type: ignore[arg-type]
    assert isinstance(term, (GroupLasso, MatrixTerm))
    owner_type = type(owner).__name__
    where = f"{site or name}: axis={term.axis!r}"
    axes, view = _known_axes(owner, name, shape, term.axis, where)  # type: ignore[arg-type]
    if view is not None and (term.batch_axis is not None or term.reduce == "batch_mean"):
        raise ConfigurationError(
            f"{where}: expected a sum or a mean over the groups of {name!r} of {owner_type}, read "
            f"in the shape {view}, got {term!r}, which averages over a batch axis; leave "
            f"batch_axis and reduce='batch_mean' out"
        )
    return view, _with_axes(term, axes)


def view_for_constraint(
    owner: nn.Module, name: str, shape: Sequence[int], constraint: Constraint, site: str
) -> tuple[Shape | None, Constraint]:
    """Return the shape in which to project a weight, or None, and the constraint by number.

    Args:
        owner: as in `view_of`.
        name: as in `view_of`.
        shape: as in `view_of`.
        constraint: if its axis is not "output" or "input", it is returned unchanged.
        site: the name of the weight in messages.

    Raises:
        ConfigurationError: the layout is unknown, or the weight has no such axis.
    """
    if not (isinstance(constraint, VectorConstraint) and constraint.by_role):
        return None, constraint
    where = f"{site}: axis={constraint.axis!r}"
    axes, view = _known_axes(owner, name, shape, constraint.axis, where)  # type: ignore[arg-type]
    axis = axes[0] if len(axes) == 1 else axes
    return view, dataclasses.replace(constraint, axis=axis)  # type: ignore[call-arg]


def _known_axes(owner: nn.Module, name: str, shape: Sequence[int], side: Side, where: str) -> _Axes:
    """Return the output or input axes of a weight; raise if they are unknown."""
    try:
        return _axes_of(owner, name.removesuffix("_orig"), tuple(shape), side)
    except _UnknownError as reason:
        raise ConfigurationError(
            f"{where}: expected a weight with one such axis, got {name!r} of "
            f"{type(owner).__name__}, {reason}"
        ) from None


def _with_axes(term: GroupLasso | MatrixTerm, axes: tuple[int, ...]) -> Formula:
    return dataclasses.replace(term, axis=axes[0] if len(axes) == 1 else Several(axes))


def _axes_of(owner: nn.Module, name: str, shape: Shape, side: Side) -> _Axes:
    """Return the output or input axes of a weight."""
    if isinstance(owner, nn.MultiheadAttention) and name in ("bias_k", "bias_v"):
        return _bias_axes(shape[2:], side)._replace(numbers=(2,))
    if isinstance(owner, (nn.RNNBase, nn.RNNCellBase)) and _RECURRENT.fullmatch(name):
        return _recurrent_axes(owner, name, shape, side)
    layout = _layout(owner)
    if name in layout.biases:
        return _bias_axes(shape, side)
    if name not in layout.kernels:
        raise _UnknownError("whose layout is not known")
    if isinstance(owner, nn.modules.conv._ConvNd):
        return _convolution_axes(owner, shape, side)
    if isinstance(owner, nn.Bilinear):
        _check_axes(shape, 3)
        if side == "input":
            raise _UnknownError("which has two inputs", "use axis=1 or axis=2, by its number")
        return _single_axis(0)
    _check_axes(shape, 2)
    return _single_axis(int((side == "output") != layout.outputs_first))


class _Layout(NamedTuple):
    """The names of the parameters of a module whose axes are known."""

    kernels: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    outputs_first: bool = True


def _layout(owner: nn.Module) -> _Layout:
    if isinstance(owner, (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)):
        return _Layout(("weight",), ("bias",))
    if isinstance(owner, nn.MultiheadAttention):
        kernels = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return _Layout(kernels, ("in_proj_bias",))
    if isinstance(owner, _EMBEDDINGS):
        return _Layout(("weight",), outputs_first=False)
    if _is_conv1d_of_transformers(owner):
        return _Layout(("weight",), ("bias",), outputs_first=False)
    return _Layout()


def _is_conv1d_of_transformers(owner: nn.Module) -> bool:
    names = [base.__name__ for base in type(owner).__mro__]
    return "Conv1D" in names and hasattr(owner, "nf")


def _convolution_axes(owner: nn.modules.conv._ConvNd, shape: Shape, side: Side) -> _Axes:
    """Return the axes of a weight (outputs, inputs per group, ...), or the transposed layout."""
    _check_axes(shape, 2 + len(owner.kernel_size))
    whole = "input" if owner.transposed else "output"
    if side == whole:
        return _single_axis(0)
    if owner.groups == 1:
        return _single_axis(1)
    # the rows are (groups, outputs per group), so an input channel is a group and an index in it
    return _Axes((0, 2), (owner.groups, shape[0] // owner.groups, *shape[1:]))


def _recurrent_axes(
    owner: nn.RNNBase | nn.RNNCellBase, name: str, shape: Shape, side: Side
) -> _Axes:
    """Return the axes of a recurrent weight, whose rows are the units of each gate in turn."""
    is_bias = name.startswith("bias")
    _check_axes(shape, 1 if is_bias else 2)
    if side == "input":
        return _bias_axes(shape, side) if is_bias else _single_axis(1)
    gates = 1 if "_hr" in name else shape[0] // owner.hidden_size
    return _single_axis(0) if gates == 1 else _Axes((1,), (gates, owner.hidden_size, *shape[1:]))


def _bias_axes(shape: Shape, side: Side) -> _Axes:
    _check_axes(shape, 1)
    if side == "input":
        raise _UnknownError(
            "a bias, which has no input axis", "use axis='output' in a rule for biases"
        )
    return _single_axis(0)


def _single_axis(axis: int) -> _Axes:
    return _Axes((axis,))


def _check_axes(shape: Shape, number: int) -> None:
    if len(shape) != number:
        raise _UnknownError(f"of shape {shape} where {number} axes are usual")
