"""Which axes of a weight number the outputs of its module, and which the inputs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from torch import nn

from regularizers.errors import ConfigurationError
from regularizers.penalties import Budget, Formula, GroupLasso, Orthogonal, Several
from regularizers.penalties.arrays import Side

Shape: TypeAlias = tuple[int, ...]

_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?")
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
_BY_NUMBER = "name the axis by its number, such as axis=0, in a rule for this weight"


class _Axes(NamedTuple):
    """The axes that number what is wanted, in a weight viewed in another shape or as it is."""

    numbers: tuple[int, ...]
    view: Shape | None = None


class _UnknownError(Exception):
    """Why the axes are not known, and what to do instead."""

    def __init__(self, reason: str, cure: str = _BY_NUMBER) -> None:
        super().__init__(f"{reason}; {cure}")


def view_of(
    owner: nn.Module, name: str, shape: Sequence[int], term: Formula, site: str | None = None
) -> tuple[Shape | None, Formula]:
    """Return the shape to view a weight in, None for its own, and a penalty with axes by number.

    Args:
        owner: the module that the weight is in.
        name: of the weight in it; of a weight that is computed, the name it is read by.
        shape: of the weight.
        term: the penalty, whose axis may be "output" or "input"; another is returned as it is.
        site: how a message names the weight.

    Raises:
        ConfigurationError: the layout is not known, the weight has no such axis, or the penalty
            names axes of samples that the view does not have.
    """
    if not term.by_role:
        return None, term
    if isinstance(term, Budget):
        view, of = view_of(owner, name, shape, term.of, site)
        unit = dataclasses.replace(of, strength=1.0, reduce=None, batch_axis=None)
        return view, dataclasses.replace(term, penalty=unit)  # type: ignore[arg-type]
    assert isinstance(term, (GroupLasso, Orthogonal))
    kind = type(owner).__name__
    where = f"{site or name}: axis={term.axis!r}"
    try:
        axes, view = _axes_of(owner, name.removesuffix("_orig"), tuple(shape), term.axis)  # type: ignore[arg-type]
    except _UnknownError as reason:
        raise ConfigurationError(
            f"{where}: expected a weight with one such axis, got {name!r} of {kind}, {reason}"
        ) from None
    if view is not None and (term.batch_axis is not None or term.reduce == "batch_mean"):
        raise ConfigurationError(
            f"{where}: expected a sum or a mean over the groups of {name!r} of {kind}, which is "
            f"taken as {view}, got {term!r}, which counts samples along an axis; leave "
            f"batch_axis and reduce='batch_mean' out"
        )
    return view, _along(term, axes)


def _along(term: GroupLasso | Orthogonal, axes: tuple[int, ...]) -> Formula:
    return dataclasses.replace(term, axis=axes[0] if len(axes) == 1 else Several(axes))


def _axes_of(owner: nn.Module, name: str, shape: Shape, side: Side) -> _Axes:
    """Return which axes of a weight number its outputs, or its inputs."""
    if isinstance(owner, nn.MultiheadAttention) and name in ("bias_k", "bias_v"):
        return _of_bias(shape[2:], side)._replace(numbers=(2,))
    if isinstance(owner, (nn.RNNBase, nn.RNNCellBase)) and _RECURRENT.fullmatch(name):
        return _of_recurrent(owner, name, shape, side)
    known = _known(owner)
    if name in known.biases:
        return _of_bias(shape, side)
    if name not in known.kernels:
        raise _UnknownError("whose layout is not known")
    if isinstance(owner, nn.modules.conv._ConvNd):
        return _of_convolution(owner, shape, side)
    if isinstance(owner, nn.Bilinear):
        _check_axes(shape, 3)
        if side == "input":
            raise _UnknownError("which has two inputs", "use axis=1 or axis=2, by its number")
        return _one(0)
    _check_axes(shape, 2)
    return _one(int((side == "output") != known.outputs_first))


class _Known(NamedTuple):
    """The parameters of a module whose layouts are known."""

    kernels: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    outputs_first: bool = True


def _known(owner: nn.Module) -> _Known:
    if isinstance(owner, (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)):
        return _Known(("weight",), ("bias",))
    if isinstance(owner, nn.MultiheadAttention):
        kernels = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return _Known(kernels, ("in_proj_bias",))
    if isinstance(owner, _EMBEDDINGS):
        return _Known(("weight",), outputs_first=False)
    if _is_conv1d_of_transformers(owner):
        return _Known(("weight",), ("bias",), outputs_first=False)
    return _Known()


def _is_conv1d_of_transformers(owner: nn.Module) -> bool:
    names = [kind.__name__ for kind in type(owner).__mro__]
    return "Conv1D" in names and hasattr(owner, "nf")


def _of_convolution(owner: nn.modules.conv._ConvNd, shape: Shape, side: Side) -> _Axes:
    """Return the axes of a weight of (outputs, inputs of a group, ...), or transposed."""
    _check_axes(shape, 2 + len(owner.kernel_size))
    whole = "input" if owner.transposed else "output"
    if side == whole:
        return _one(0)
    if owner.groups == 1:
        return _one(1)
    # a channel is one of a group, and each group has the next rows
    return _Axes((0, 2), (owner.groups, shape[0] // owner.groups, *shape[1:]))


def _of_recurrent(owner: nn.RNNBase | nn.RNNCellBase, name: str, shape: Shape, side: Side) -> _Axes:
    """Return the axes of a weight whose rows are those of each gate, one gate after the other."""
    is_bias = name.startswith("bias")
    _check_axes(shape, 1 if is_bias else 2)
    if side == "input":
        return _of_bias(shape, side) if is_bias else _one(1)
    gates = 1 if "_hr" in name else shape[0] // owner.hidden_size
    return _one(0) if gates == 1 else _Axes((1,), (gates, owner.hidden_size, *shape[1:]))


def _of_bias(shape: Shape, side: Side) -> _Axes:
    _check_axes(shape, 1)
    if side == "input":
        raise _UnknownError(
            "a bias, which no input feeds", "use axis='output' in a rule for biases"
        )
    return _one(0)


def _one(axis: int) -> _Axes:
    return _Axes((axis,))


def _check_axes(shape: Shape, number: int) -> None:
    if len(shape) != number:
        raise _UnknownError(f"of shape {shape} where {number} axes are usual")
