"""The sum of the norms of groups: whole groups become zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties._block_norms import Blocks
from regularizers.penalties._shrinkage import Stage
from regularizers.penalties.arrays import (
    Array,
    Axes,
    Denominator,
    Frame,
    Namespace,
    Side,
    check_axes,
    divide,
    is_side,
    live,
    normalise_axes,
    numbered,
)


@dataclass(frozen=True, repr=False)
class GroupLasso(Blocks):
    r"""The norms of groups, added: each group is zero as a whole, or not at all.

    .. math:: p(x) = s \sum_g \|x_g\|, \qquad
        \frac{\partial p}{\partial x_{gi}} = s\,\frac{x_{gi}}{\|x_g\|},
        \quad 0 \text{ where } \|x_g\| = 0

    There is one group for each index along `axis`, and its norm is over all other axes.

    Of the weights of modules, `kernel(GroupLasso(s, axis="output"))` makes one group of all that
    feeds one output unit or channel, and `"input"` of all that leaves one input: a group at zero is
    a unit that can be removed. The module says which axes these are. Of most kernels of PyTorch
    the outputs are axis 0; of transposed convolutions and the `Conv1D` of transformers they are
    axis 1. All gates of a recurrent unit are one group, and so is all that reads one channel of
    a grouped convolution.

    The norms are not weighted by the size of the groups, which within one array are all alike. For
    the √size of Yuan and Lin multiply the strength by it: `GroupLasso(s * 64**0.5, axis=0)` where
    64 weights feed a unit.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        axis: the axis that numbers the groups, or several; of the weight of a module `"output"` or
            `"input"`.
        reduce: `"sum"` over groups; `"batch_mean"`, the sum over the groups of each sample averaged
            over samples, where samples never share a group: the batch axes number groups too;
            `"mean"`, the root mean square of each group averaged over groups. None: `"sum"` on
            arrays and weights, `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.
        with_bias: whether the group of an output takes its bias along, √(‖w_g‖² + b_g²), so that a
            unit of zeros says nothing at all. For kernels with `axis="output"`.

    Raises:
        ConfigurationError: an axis that is none of these; of an array, or of the weight of a
            module whose layout is not known, `"output"` or `"input"`; a bias with another axis.
        ShapeError: an axis that the array has not, or one of several batch axes without the others,
            unless samples are averaged over.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> kernel = np.array([[3.0, 4.0], [0.0, 0.0]])  # one row for each output
        >>> rz.GroupLasso(0.1, axis=0).gradient(kernel)
        array([[0.06, 0.08],
               [0.  , 0.  ]])

    Source: Yuan and Lin, "Model selection and estimation in regression with grouped variables",
    2006.
    """

    axis: Axes | Side
    with_bias: bool = field(default=False, kw_only=True)

    stage: ClassVar[Stage | None] = "blocks"

    proximal_step, to_sum, from_sum = Blocks.proximal_step, Blocks.to_sum, Blocks.from_sum

    def __post_init__(self) -> None:
        super().__post_init__()
        check_axes(self.axis)
        if self.with_bias and self.axis != "output":
            raise ConfigurationError(
                f"with_bias: expected axis='output' with it, since a bias has an element for each "
                f"output of its module, got axis={self.axis!r}"
            )
        if self.with_bias and (self.reduce == "batch_mean" or self.batch_axis is not None):
            raise ConfigurationError(
                f"with_bias: expected a sum or a mean over outputs with it, got "
                f"reduce={self.reduce!r}, batch_axis={self.batch_axis!r}"
            )

    @property
    def by_role(self) -> bool:
        return is_side(self.axis)

    @property
    def joins_bias(self) -> bool:
        return self.with_bias

    def check_shape(self, shape: tuple[int, ...]) -> None:
        super().check_shape(shape)
        self._groups(len(shape), normalise_axes(self.batch_axis, len(shape)))

    def within(self, frame: Frame) -> tuple[int, ...]:
        ndim = len(frame.shape)
        groups = self._groups(ndim, frame.batch)
        return tuple([axis for axis in range(ndim) if axis not in groups])

    def _groups(self, ndim: int, batch: tuple[int, ...]) -> tuple[int, ...]:
        """Return the axes that number the groups, with those of samples if they share none."""
        groups = normalise_axes(numbered(self.axis), ndim, "axis")
        if self.reduce == "batch_mean":
            return (*groups, *batch)
        if 0 < len([axis for axis in batch if axis in groups]) < len(batch):
            raise ShapeError(
                f"axis: expected all of the batch axes {batch} or none of them in a "
                f"{self.reduce or 'sum'}, got {groups}; use reduce='batch_mean', or another "
                f"batch_axis"
            )
        return groups

    def gathered(self, norms: Array, frame: Frame) -> Array:
        if self._spans_samples(frame):
            return norms
        return frame.xp.sum(norms * self.weight(frame))

    def spans_samples(self, statistic: Array) -> bool:
        # where they do not, `gathered` has made a scalar of it
        return len(statistic.shape) > 0

    def _spans_samples(self, frame: Frame) -> bool:
        return not set(frame.batch).isdisjoint(self.within(frame))

    def weight(self, frame: Frame) -> float | Array:
        if self.reduce != "mean" or self._spans_samples(frame):
            return 1.0
        return divide(frame.xp, 1.0, frame.along(self.within(frame)) ** 0.5)

    def denominator(self, frame: Frame) -> Denominator:
        if self.reduce != "mean":
            return frame.count
        within = self.within(frame)
        return frame.along(within) if self._spans_samples(frame) else frame.blocks(within)

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return xp.sum(statistic * self.derivative(statistic, denominator, xp))

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        one = xp.ones_like(statistic)
        if self.reduce != "mean" or not self.spans_samples(statistic) or denominator is None:
            return divide(xp, one, denominator)
        return divide(xp, one, denominator**0.5) / live(xp, statistic, denominator)

    def divisor(self, frame: Frame) -> Denominator:
        if self.reduce != "mean":
            return frame.count
        within = self.within(frame)
        return frame.blocks(within) * frame.along(within) ** 0.5
