"""A forest of features, in which a child fires only if its parent does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, ShapeError


class Hierarchy:
    """The levels of a forest, from the children of the roots downwards.

    Args:
        parents: for each feature the index of its parent, -1 for a root.
        features: the number of features.

    Raises:
        ShapeError: there is not one parent for each feature.
        ConfigurationError: an index is no feature, or features are their own ancestors.
    """

    def __init__(self, parents: Sequence[int] | Tensor, features: int) -> None:
        self.parents = _checked(parents, features)
        self.levels = list(_levels(self.parents))
        """Children and their parents, level by level; each a pair of (children,), int64."""

    @property
    def roots(self) -> Tensor:
        """Which features have no parent; (features,), boolean."""
        return self.parents < 0

    def marginals(self, given_parent: Tensor) -> Tensor:
        """Return the probabilities of firing from those of firing if the parent does."""
        marginals = given_parent.clone()
        for children, parents in self.levels:
            marginals[children] *= marginals[parents]
        return marginals

    def silence_orphans(self, fires: Tensor) -> Tensor:
        """Return where features fire whose parents fire too; (samples, features), boolean."""
        fires = fires.clone()
        for children, parents in self.levels:
            fires[:, children] &= fires[:, parents]
        return fires


def _levels(parents: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    placed = parents < 0
    while not placed.all():
        ready = ~placed & placed[parents.clamp(min=0)]
        if not ready.any():
            circle = (~placed).nonzero().flatten()[:6].tolist()
            raise ConfigurationError(
                f"hierarchy: expected a forest, got features that are their own ancestors, among "
                f"{circle}; give roots the parent -1"
            )
        children = ready.nonzero().flatten()
        yield children, parents[children]
        placed = placed | ready


def _checked(parents: Sequence[int] | Tensor, features: int) -> Tensor:
    indices = torch.as_tensor(parents)
    if indices.shape != (features,):
        raise ShapeError(
            f"hierarchy: expected the index of a parent for each of {features} features, -1 for a "
            f"root, got shape {tuple(indices.shape)}"
        )
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool:
        raise ConfigurationError(f"hierarchy: expected integers, got {indices.dtype}")
    if not ((indices >= -1) & (indices < features)).all():
        raise ConfigurationError(
            f"hierarchy: expected indices of features, 0 to {features - 1}, or -1 for a root, got "
            f"{int(indices.min())} to {int(indices.max())}"
        )
    return indices.long().cpu()
