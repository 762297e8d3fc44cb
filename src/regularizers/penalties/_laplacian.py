"""How much the nodes of a graph differ from their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from regularizers.errors import RegimeError, ShapeError
from regularizers.penalties._graph import Graph
from regularizers.penalties._term import Term
from regularizers.penalties._vectors import Vectors
from regularizers.penalties.arrays import (
    Array,
    Frame,
    Namespace,
    check_axis,
    matmul,
    normalise_axes,
)


@dataclass(frozen=True, repr=False)
class Laplacian(Term):
    r"""Squared differences along the edges of a graph: neighbours are drawn to be alike.

    .. math:: p(x) = s\,\mathrm{tr}\,F^\top L F = \frac{s}{2} \sum_{ij} w_{ij}\,\|f_i - f_j\|^2,
        \qquad L = \mathrm{diag}(W 1) - W, \qquad \frac{\partial p}{\partial F} = 2 s\,L F

    The rows f of F are numbered by `axis`, one for each node, and extend over all other axes. Each
    edge counts once. A pair of elements counts if both do.

    Nodes may be units, as those of an output (samples, nodes, features) with `axis=1`, or the rows
    of a kernel. They may be samples too, as in a network on one graph whose output is (nodes,
    features): with `axis=0` the penalty is one of the whole batch. Then there is no mean over
    samples, whose pairs are shared, and no batch that several processes or micro-batches share.

    A large common offset of nodes that are connected does no harm: it is taken off before products
    are, so that only what differs is rounded.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        graph: the weights w (n, n), symmetric, finite and not negative: a dense array of any
            library, or nested lists. Its diagonal counts nothing. The penalty keeps a copy.
        axis: the axis that numbers the n nodes.
        reduce: `"sum"` over all edges; `"batch_mean"`, the sum of each sample averaged over
            samples; `"mean"`, the sum divided by the number of elements. None: a sum on arrays and
            weights, `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: a graph that is not square or not symmetric, or has weights that are
            negative or not finite; an axis that is no integer.
        ShapeError: an axis that the array has not, or of another length than the graph has nodes;
            a mean over samples that are nodes.
        RegimeError: samples that are nodes, where several processes share the batch.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> path = [[0, 1, 0], [1, 0, 2], [0, 2, 0]]  # edges 0–1 and 1–2, of weights 1 and 2
        >>> smooth = rz.Laplacian(0.5, path, axis=0)
        >>> float(smooth(np.array([1.0, 3.0, 4.0])))  # 0.5 · (1 · 2² + 2 · 1²)
        3.0
        >>> smooth.gradient(np.array([1.0, 3.0, 4.0]))
        array([-2.,  0.,  2.])

    Source: Belkin, Niyogi and Sindhwani, "Manifold regularization", 2006.
    """

    graph: Any
    axis: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_axis(self.axis)
        if not isinstance(self.graph, Graph):
            object.__setattr__(self, "graph", Graph.of(self.graph))

    def check_shape(self, shape: tuple[int, ...]) -> None:
        super().check_shape(shape)
        self._check_nodes(shape, normalise_axes(self.batch_axis, len(shape)))

    def joint_axes(self, ndim: int) -> tuple[int, ...]:
        return normalise_axes(self.axis, ndim, "axis")

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        self._check_nodes(frame.shape, frame.batch)
        rows, pulls, _ = self._pulls(x, frame)
        total = frame.xp.sum(rows * pulls)
        # of nodes that are samples it is no scalar, which tells them apart
        is_whole = set(frame.batch).isdisjoint(self.joint_axes(len(frame.shape)))
        return total if is_whole else frame.xp.reshape(total, (1,) * len(frame.shape)), ()

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        _, pulls, vectors = self._pulls(x, frame)
        return 2 * cotangent * vectors.array(pulls)

    def spans_samples(self, statistic: Array) -> bool:
        return len(statistic.shape) > 0

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        if self.spans_samples(statistic):
            raise RegimeError(
                f"{self!r}: the nodes of its graph are samples, and several processes have a part "
                f"of them each, whose pairs none of them sees; say process_group='local', if each "
                f"has a graph of its own"
            )
        return statistic

    def _pulls(self, x: Array, frame: Frame) -> tuple[Array, Array, Vectors]:
        """Return F, less its mean in each connected part, and L F; and how F lies in `x`."""
        xp, vectors = frame.xp, Vectors(self.axis, frame)
        weights, members = self.graph.matrix(xp, x), self.graph.members(xp, x)
        if frame.mask is None:
            valid = xp.ones_like(weights[:, :1])
        else:
            valid = vectors.rows(xp.astype(frame.mask, x.dtype))
        rows = vectors.rows(x)
        counts = matmul(xp, members, valid)
        means = matmul(xp, members, rows) / xp.where(counts == 0, xp.ones_like(counts), counts)
        rows = (rows - matmul(xp, xp.permute_dims(members, (1, 0)), means)) * valid
        pulls = (matmul(xp, weights, valid) * rows - matmul(xp, weights, rows)) * valid
        return rows, pulls, vectors

    def _check_nodes(self, shape: tuple[int, ...], batch: tuple[int, ...]) -> None:
        if not shape:
            raise ShapeError(f"axis: expected an array with the axis {self.axis}, got a number")
        (axis,) = self.joint_axes(len(shape))
        if shape[axis] != self.graph.nodes:
            raise ShapeError(
                f"graph: expected as many nodes as axis {self.axis} of {tuple(shape)} has, "
                f"{shape[axis]}, got {self.graph.nodes}; which axis numbers the nodes?"
            )
        if axis in batch and self.reduce == "batch_mean":
            raise ShapeError(
                f"axis: expected another axis than those of the batch, {batch}, in a mean over "
                f"samples, got {self.axis}: edges are between samples; use reduce='sum' or "
                f"'mean', or another batch_axis"
            )
