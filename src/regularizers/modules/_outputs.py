"""Finds the tensor to penalise in the output of a module, with its batch and time axes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from regularizers.errors import OutputError, RegimeError
from regularizers.modules._attention import ATTENTION, is_batch_first, takes_single_sequences
from regularizers.modules._nested import check_readable
from regularizers.modules._types import Select
from regularizers.penalties.arrays import Axes

MODULES_WITH_KNOWN_AXES = (nn.RNNBase, nn.RNNCellBase, *ATTENTION)
"""Modules whose attributes tell the batch and time axes of their outputs."""


class Activation(NamedTuple):
    """A tensor to penalise, with its axes and mask as known from its module.

    Attributes:
        x: the tensor, of any shape.
        batch_axis: the axes of samples; `()` for a single one.
        mask: boolean, over the leading axes of `x`: True where it counts. None: everything.
        time_axis: the axis of steps; None where there is none.
        padded_from: the part of the output that `x` was padded from; None if `x` is a part itself.

    Example:
        >>> import torch
        >>> from regularizers.modules import activation_of
        >>> rnn = torch.nn.GRU(4, 3, batch_first=True)
        >>> activation = activation_of(rnn, rnn(torch.randn(2, 5, 4)), None, "rnn")
        >>> activation.x.shape, activation.batch_axis, activation.time_axis
        (torch.Size([2, 5, 3]), 0, 1)
        >>> activation.sample_axes(None)
        (0, 1)
    """

    x: Tensor
    batch_axis: Axes
    mask: Tensor | None = None
    time_axis: int | None = None
    padded_from: Tensor | None = None

    @property
    def entry(self) -> Tensor:
        """The part of the output at which a gradient can be injected."""
        return self.x if self.padded_from is None else self.padded_from

    def sample_axes(self, stated: Axes | None) -> tuple[int, ...]:
        """Return the sample axes: those that the user stated, else those known from the module.

        If the module has a time axis, it is a sample axis too: each step of each sequence is a
        sample, and the number of units does not depend on the length of the sequences.
        """
        axes = self.batch_axis if stated is None else stated
        axes = axes if isinstance(axes, tuple) else (axes,)
        return axes if stated is not None or self.time_axis is None else (*axes, self.time_axis)


def activation_of(module: nn.Module, output: Any, select: Select | None, site: str) -> Activation:
    """Return the tensor of `output` to penalise.

    Args:
        module: the module.
        output: what it returned.
        select: the part of it, as in `activity`; None: the output itself, and of a recurrent layer
            its states.
        site: the name of the module, for messages.

    Raises:
        OutputError: there is no tensor, or it is not real floating point; the message shows the
            structure of the output.

    Example:
        >>> import torch
        >>> from regularizers.modules import activation_of
        >>> y = torch.ones(2, 3)
        >>> activation_of(torch.nn.Identity(), {"codes": y}, "codes", "encoder").x is y
        True
    """
    x = output if select is None else _selected(output, select, site)
    if isinstance(module, nn.RNNBase):
        if isinstance(output, (tuple, list)) and len(output) == 2:
            return _recurrent_activation(module, output, output[0] if select is None else x, site)
        if select is None:
            raise OutputError(
                f"{site}: expected the pair that a recurrent layer returns, its states and its "
                f"last states, got {describe(output)}, whose axes are not known; say which part is "
                f"meant and which axes count samples: activity(..., select=lambda y: y, "
                f"batch_axis=0)"
            )
        return Activation(_checked(x, output, site), 0)
    if isinstance(module, nn.RNNCellBase):
        if select is None and isinstance(output, tuple):
            x = output[0]
        x = _checked(x, output, site)
        return Activation(x, 0 if x.ndim == 2 else ())
    x = _checked(x, output, site)
    return (
        _attention_activation(module, output, x)
        if isinstance(module, ATTENTION)
        else Activation(x, 0)
    )


def _sequence_activation(x: Tensor, *, batch_first: bool) -> Activation:
    """Return a batch of sequences with three axes, or a single sequence with two."""
    if x.ndim != 3:
        return Activation(x, (), time_axis=0)
    batch_axis = 0 if batch_first else 1
    return Activation(x, batch_axis, time_axis=1 - batch_axis)


def _attention_activation(module: nn.Module, output: Any, x: Tensor) -> Activation:
    """Return the tokens, or the attention weights, with the module's batch and time axes."""
    batch_first = is_batch_first(module)
    parts = output if isinstance(output, tuple) else (output,)
    if batch_first is None or x.is_nested:
        return Activation(x, 0)
    if x is parts[0] and (x.ndim == 3 or (x.ndim == 2 and takes_single_sequences(module))):
        return _sequence_activation(x, batch_first=batch_first)
    if any(x is part for part in parts[1:]) and isinstance(module, nn.MultiheadAttention):
        # the weights are (batch, [heads,] queries, keys) whatever batch_first is
        return Activation(x, 0 if parts[0].ndim == 3 else ())
    return Activation(x, 0)


def _recurrent_activation(module: nn.RNNBase, output: Any, selected: Any, site: str) -> Activation:
    """Return the states with the batch and time axes of the layer; packed ones are padded."""
    states, last = output
    batch_axis = 0 if module.batch_first else 1
    if isinstance(selected, PackedSequence):
        x, lengths = pad_packed_sequence(selected, batch_first=module.batch_first)
        steps = torch.arange(int(lengths.max()), device=x.device)
        mask = steps < lengths.to(x.device)[:, None]
        mask = mask if module.batch_first else mask.T
        x = _checked(x, output, site)
        return Activation(x, batch_axis, mask, 1 - batch_axis, selected.data)
    x = _checked(selected, output, site)
    if x is states:
        return _sequence_activation(x, batch_first=module.batch_first)
    if any(x is state for state in (last if isinstance(last, tuple) else (last,))):
        # the last states are (layers, batch, features) whatever batch_first is
        return Activation(x, 1 if x.ndim == 3 else ())
    return Activation(x, 0)


def _selected(output: Any, select: Select, site: str) -> Any:
    if isinstance(output, Tensor) and not callable(select):
        raise OutputError(
            f"{site}: the output is one tensor, {describe(output)}, and select={select!r} would "
            f"index it; leave select out, or use a function"
        )
    try:
        if callable(select):
            return select(output)
        if isinstance(select, str) and not isinstance(output, Mapping):
            return getattr(output, select)
        return output[select]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise OutputError(
            f"{site}: select={select!r} finds nothing in the output, which is "
            f"{describe(output)} ({type(error).__name__}: {error})"
        ) from None


def _checked(x: Any, output: Any, site: str) -> Tensor:
    if not isinstance(x, Tensor):
        check_is_no_proxy(x, site)
        raise OutputError(
            f"{site}: expected a tensor, got {describe(output)}; say which part with "
            f"activity(..., select=INDEX, KEY or FUNCTION)"
        )
    if not x.dtype.is_floating_point:
        raise OutputError(
            f"{site}: expected a tensor of a real floating type, got {describe(x)}; choose "
            f"another module, or another part with activity(..., select=...)"
        )
    if x.is_nested:
        check_readable(x, site)
    return x


def check_is_no_proxy(x: Any, site: str) -> None:
    """Raise if `x` is a proxy of `torch.fx.symbolic_trace`.

    Args:
        x: part of an output.
        site: the name of the module, for messages.

    Example:
        >>> import torch
        >>> from regularizers.modules import check_is_no_proxy
        >>> check_is_no_proxy(torch.ones(2), "encoder")
    """
    if isinstance(x, torch.fx.Proxy):
        raise RegimeError(
            f"{site}: torch.fx.symbolic_trace runs the model on proxies, which cannot be read; "
            f"call model.eval() or detach() before it"
        )


def describe(value: Any, depth: int = 3) -> str:
    """Return the structure of an output, such as `tuple(Tensor[2, 3] float32, None)`.

    Args:
        value: an output or a part of one.
        depth: the levels that are shown.

    Example:
        >>> import torch
        >>> from regularizers.modules import describe
        >>> describe((torch.zeros(2, 3), {"state": None}))
        'tuple(Tensor[2, 3] float32, dict(state=None))'
    """
    if isinstance(value, Tensor):
        return f"Tensor{list(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    name = type(value).__name__
    if depth == 0:
        return f"{name}(...)"
    if isinstance(value, Mapping):
        items = [f"{key}={describe(item, depth - 1)}" for key, item in value.items()]
    elif dataclasses.is_dataclass(value):
        items = [
            f"{f.name}={describe(getattr(value, f.name), depth - 1)}"
            for f in dataclasses.fields(value)
        ]
    elif isinstance(value, (tuple, list)):
        items = [describe(item, depth - 1) for item in value]
    else:
        return "None" if value is None else name
    return f"{name}({', '.join(items)})"


def replace_in(output: Any, old: Tensor, new: Tensor, site: str) -> Any:
    """Return a copy of `output` with `new` instead of its part `old`.

    Args:
        output: what a module returned; it stays as it is.
        old: a tensor in it.
        new: what is to stand in its place.
        site: the name of the module, for messages.

    Raises:
        OutputError: `old` is not a part of `output`.

    Example:
        >>> import torch
        >>> from regularizers.modules import replace_in
        >>> y = torch.ones(2)
        >>> replace_in((y, None), y, 2 * y, "encoder")
        (tensor([2., 2.]), None)
    """
    replaced, count = _replaced(output, old, new)
    if count == 0:
        raise OutputError(
            f"{site}: with delivery='inject' or a strength with a target, the tensor selected "
            f"must be a part of the output, which is {describe(output)}, and not computed from it"
        )
    return replaced


def _replaced(value: Any, old: Tensor, new: Tensor) -> tuple[Any, int]:
    if value is old:
        return new, 1
    if isinstance(value, PackedSequence):
        parts, count = _replaced(tuple(value), old, new)
        return PackedSequence(*parts), count
    if isinstance(value, Mapping):
        items = {key: _replaced(item, old, new) for key, item in value.items()}
        count = sum([n for _, n in items.values()])
        if count:
            value = copy.copy(value)
            for key, (item, n) in items.items():
                if n:
                    value[key] = item
        return value, count
    if isinstance(value, (tuple, list)):
        pairs = [_replaced(item, old, new) for item in value]
        count = sum([n for _, n in pairs])
        if count:
            made = [item for item, _ in pairs]
            value = type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
        return value, count
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: _replaced(getattr(value, f.name), old, new) for f in dataclasses.fields(value)
        }
        changed = {name: item for name, (item, n) in fields.items() if n}
        return (dataclasses.replace(value, **changed) if changed else value), len(changed)
    return value, 0


def initial_state(module: nn.Module, inputs: tuple[Any, ...], hx: Any, site: str) -> Tensor | None:
    """Return the initial state of the last layer that a recurrent module was given, or None.

    Args:
        module: a recurrent layer of one direction.
        inputs: its positional arguments.
        hx: the state if it was given by keyword.
        site: the name of the module, for messages.

    Raises:
        RegimeError: the module is bidirectional or no recurrent layer.

    Example:
        >>> import torch
        >>> from regularizers.modules import initial_state
        >>> rnn, x, state = torch.nn.GRU(4, 3), torch.randn(5, 2, 4), torch.ones(1, 2, 3)
        >>> initial_state(rnn, (x, state), None, "rnn").shape
        torch.Size([2, 3])
    """
    if not isinstance(module, nn.RNNBase) or module.bidirectional:
        raise RegimeError(
            f"{site}: carry=True needs a recurrent layer of one direction, whose output continues "
            f"from the state it is given, got {type(module).__name__}; use carry=False"
        )
    given = inputs[1] if len(inputs) > 1 else hx
    if given is None:
        return None
    state: Tensor = (given[0] if isinstance(given, tuple) else given)[-1]
    return state
