"""The settings with which one penalty reads one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.attach.reading import _namespace as xp
from regularizers.penalties import Formula, Saves
from regularizers.penalties.arrays import Axes, Frame
from regularizers.penalties.kernels import Kernel


class Request(NamedTuple):
    """How one penalty reads one tensor."""

    term: Formula
    batch_axis: Axes
    site: str
    gauge: int | None
    """The handle of the gauge of a target, which measures the gradient."""
    saves: Saves
    kernel: Kernel | None = None
    """None in traced code, and for formulas without a kernel."""
    slope_is_sign: bool = False
    """True if the derivative of the statistic is the sign of each element."""
    whole: Frame | None = None
    """The frame of an output without a mask, if its shape is known."""

    def frame(self, shape: Sequence[int], dtype: torch.dtype, mask: Tensor | None) -> Frame:
        """Return how elements accumulated in `dtype` become one number."""
        if mask is None and self.whole is not None:
            return self.whole
        return Frame(xp, shape, dtype, self.term.reduce or "sum", self.batch_axis, mask)
