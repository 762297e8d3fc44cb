"""A graph of weighted edges, as a value that can be compared and hashed."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array, Namespace, constant

_CURE = "a square matrix of weights, as a dense array or as lists"


@dataclass(frozen=True, repr=False)
class Graph:
    """The symmetric matrix of the weights of a graph's edges, without those on its diagonal."""

    nodes: int
    """The number of nodes, n."""
    parts: int
    """The number of connected parts, c."""
    weights: str
    """The matrix (n, n), as `constant` takes it; a string remembers its hash."""
    membership: str
    """A matrix (c, n) of 1 where a node is in a part, and 0 elsewhere, likewise."""

    @classmethod
    def of(cls, matrix: Any) -> Self:
        """Return the graph of a matrix: an array of any library, or nested lists.

        Raises:
            ConfigurationError: no square and symmetric matrix of finite weights, zero or more.
        """
        rows = _rows_of(matrix)
        _check_square(rows)
        _check_weights(rows)
        for i, row in enumerate(rows):
            row[i] = 0.0  # an edge from a node to itself costs nothing
        parts = _connected_parts(rows)
        members = [[float(node in part) for node in range(len(rows))] for part in parts]
        return cls(len(rows), len(parts), _packed(rows), _packed(members))

    def __repr__(self) -> str:
        return f"<graph of {self.nodes} nodes>"

    def matrix(self, xp: Namespace, like: Array) -> Array:
        """Return the weights (n, n) in the type and on the device of an array."""
        return constant(xp, self.weights, (self.nodes, self.nodes), like)

    def members(self, xp: Namespace, like: Array) -> Array:
        """Return which nodes are in which connected part (c, n), likewise."""
        return constant(xp, self.membership, (self.parts, self.nodes), like)


def _packed(rows: Iterable[Iterable[float]]) -> str:
    return "".join([array("d", row).tobytes().hex() for row in rows])


def _rows_of(matrix: Any) -> list[list[float]]:
    try:
        return [[_number(weight) for weight in row] for row in _nested(matrix)]
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        raise ConfigurationError(f"graph: expected {_CURE}, got {_described(matrix)}") from None


def _nested(matrix: Any) -> Any:
    """Return what can be iterated over; not all that the Array API standard allows can be."""
    if hasattr(matrix, "toarray"):
        raise TypeError("a sparse matrix")
    if hasattr(matrix, "tolist"):
        return matrix.tolist()
    if hasattr(matrix, "__array_namespace__"):
        rows, columns = matrix.shape
        return [[matrix[i, j] for j in range(columns)] for i in range(rows)]
    return matrix


def _number(weight: Any) -> float:
    if isinstance(weight, (str, bytes)):
        raise TypeError
    return float(weight)


def _described(matrix: Any) -> str:
    shape = getattr(matrix, "shape", None)
    kind = f"a {type(matrix).__name__}"
    return kind if shape is None else f"{kind} of shape {tuple(shape)}"


def _check_square(rows: list[list[float]]) -> None:
    for number, row in enumerate(rows):
        if len(row) != len(rows):
            raise ConfigurationError(
                f"graph: expected {_CURE}, got {len(rows)} rows, of which row {number} has "
                f"{len(row)} weights"
            )
    if not rows:
        raise ConfigurationError(f"graph: expected {_CURE}, of one node or more, got none")


def _check_weights(rows: list[list[float]]) -> None:
    for i, row in enumerate(rows):
        for j, weight in enumerate(row):
            if not 0 <= weight < math.inf:
                raise ConfigurationError(
                    f"graph: expected weights that are finite and not negative, got {weight!r} "
                    f"at [{i}, {j}]"
                )
            if weight != rows[j][i]:
                raise ConfigurationError(
                    f"graph: expected a symmetric matrix, got {weight!r} at [{i}, {j}] and "
                    f"{rows[j][i]!r} at [{j}, {i}]; of directed edges take (w + w.T) / 2, which "
                    f"has the same penalty"
                )


def _connected_parts(rows: list[list[float]]) -> list[set[int]]:
    parts: list[set[int]] = []
    left = dict.fromkeys(range(len(rows)))
    while left:
        reached = {next(iter(left))}
        border = list(reached)
        while border:
            row = rows[border.pop()]
            new = [node for node in left if row[node] and node not in reached]
            reached.update(new)
            border += new
        parts.append(reached)
        for node in reached:
            del left[node]
    return parts
