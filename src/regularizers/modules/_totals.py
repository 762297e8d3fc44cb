"""Totals of a tensor that one hook has read, found again by the next hook on the same tensor."""

from __future__ import annotations

import threading
import weakref
from typing import TypeAlias

import torch
from torch import Tensor

from regularizers.modules._autograd_state import is_transformed, never_compiled

Totals: TypeAlias = dict[str, Tensor]
"""Totals by name: `"active"` is the number of x with `|x| > 0`, `"absolute"` is `Σ|x|`.

Each is of the whole tensor without a mask, detached, of 0 dimensions and on its device, float32 or
wider.
"""


class _Slot(threading.local):
    """The totals of the tensor that was asked for last in a thread."""

    def __init__(self) -> None:
        self.tensor: weakref.ref[Tensor] | None = None
        self.version = 0
        self.totals: Totals = {}


_slot = _Slot()


@never_compiled
def totals_of(x: Tensor) -> Totals:
    """Return the dict that all readers of this very tensor share until it changes in place.

    Each reader takes what it needs from it and adds what it has computed. One dict is kept in a
    thread, since the hooks of a module run one after another: another tensor starts a new one. A
    change that autograd does not see, through `x.data`, is not seen here.

    Within transforms, while compiling, and for subclasses and inference tensors, whose changes are
    not counted, the dict is new and is not kept.

    Args:
        x: a tensor that hooks read.

    Example:
        >>> import torch
        >>> x = torch.tensor([0.0, 2.0])
        >>> totals_of(x)["active"] = (x != 0).sum().float()
        >>> totals_of(x)
        {'active': tensor(1.)}
        >>> totals_of(x.add_(1.0))
        {}
    """
    if (
        type(x) is not Tensor
        or torch.compiler.is_compiling()
        or x.is_inference()
        or is_transformed()
    ):
        return {}
    if _slot.tensor is None or _slot.tensor() is not x or _slot.version != x._version:
        _slot.tensor, _slot.version, _slot.totals = weakref.ref(x), x._version, {}
    return _slot.totals
