"""The axes of a penalty that are named by their role, numbered as in the weight of one module."""

from __future__ import annotations

import dataclasses

import torch

from regularizers.attach.sites._axis_roles import view_of
from regularizers.attach.sites._parameter import Parameter
from regularizers.attach.sites._site import Entry
from regularizers.attach.sites._with_bias import WithBias
from regularizers.errors import ConfigurationError
from regularizers.penalties import GroupLasso


def with_axes(entry: Entry, parameter: Parameter) -> Entry:
    """Return the entry with axes by number instead of by role."""
    if not entry.term.by_role:
        return entry
    joins = isinstance(entry.term, GroupLasso) and entry.term.with_bias
    term = dataclasses.replace(entry.term, with_bias=False) if joins else entry.term  # type: ignore[call-arg]
    with torch.no_grad():
        shape = parameter.read().shape
    view, term = view_of(parameter.owner, parameter.name, shape, term, entry.site)
    resolved = dataclasses.replace(entry, view=view, term=term, written=entry.term)
    return _with_bias(resolved, parameter) if joins else resolved


def _with_bias(entry: Entry, parameter: Parameter) -> Entry:
    """Return the entry of a group penalty that reads the module's bias beside the kernel."""
    term, owner = entry.term, parameter.owner
    assert isinstance(term, GroupLasso)
    known = entry.kind == "kernel" and parameter.name == "weight" and hasattr(owner, "bias")
    if not (known and entry.view is None and isinstance(term.axis, int)):
        raise ConfigurationError(
            f"{entry.site}: with_bias=True: expected the kernel of a linear layer or "
            f"convolution (transposed ones without groups), got {parameter.name!r} of "
            f"{type(owner).__name__}; use with_bias=False, and a rule for biases"
        )
    bias = dataclasses.replace(parameter, name="bias", role="bias")
    rows = dataclasses.replace(term, axis=0)
    return dataclasses.replace(entry, term=rows, with_bias=WithBias(bias, term.axis))
