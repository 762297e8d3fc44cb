"""How many weights are exactly 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from regularizers._keys import Keys, key_of
from regularizers._text import table
from regularizers.modules import Wheres, whole
from regularizers.pruning._kernels import select_kernels


class Count(NamedTuple):
    """How many elements of a kernel are exactly 0, and how many it has.

    Attributes:
        zeros: the number of elements that are exactly 0.
        elements: the number of elements.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> layer = torch.nn.Linear(4, 2)
        >>> with torch.no_grad():
        ...     _ = layer.weight[0].zero_()
        >>> count = rz.zeros(layer).counts["weight"]
        >>> count.zeros, count.elements, count.share
        (4, 8, 0.5)
    """

    zeros: int
    elements: int

    @property
    def share(self) -> float:
        """The share of zeros, in [0, 1]; 0 where there are no elements."""
        return self.zeros / max(self.elements, 1)


@dataclass(frozen=True, repr=False)
class Zeros(Mapping[str, float]):
    """The share of exact zeros of each kernel, by its name; printed, a table.

    Args:
        counts: how many elements of each kernel are 0, and how many it has, by name.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> layer = torch.nn.Linear(4, 2)
        >>> with torch.no_grad():
        ...     _ = layer.weight[0].zero_()
        >>> found = rz.zeros(layer)
        >>> found["weight"], found.total, found.counts["weight"]
        (0.5, 0.5, Count(zeros=4, elements=8))
        >>> found.as_dict()
        {'weight/zeros': 0.5, 'model/zeros': 0.5}
    """

    counts: Mapping[str, Count]

    @property
    def total(self) -> float:
        """The share of zeros over the elements of all kernels."""
        return self._sum.share

    def as_dict(self) -> dict[str, float]:
        """Return all shares by `kernel/zeros`, and the total as `model/zeros`, for a logger."""
        keys = Keys()
        total = {keys.add(f"{key_of('')}/zeros"): self.total}
        return {keys.add(f"{key_of(name)}/zeros"): share for name, share in self.items()} | total

    def __getitem__(self, name: str) -> float:
        return self.counts[name].share

    def __iter__(self) -> Iterator[str]:
        return iter(self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def _sum(self) -> Count:
        counts = self.counts.values()
        return Count(sum(c.zeros for c in counts), sum(c.elements for c in counts))

    def __str__(self) -> str:
        rows = [
            (name, str(count.zeros), str(count.elements), f"{count.share:.1%}")
            for name, count in [*self.counts.items(), ("total", self._sum)]
        ]
        return table([("kernel", "zeros", "of", "share"), *rows], right=(1, 2, 3))

    __repr__ = __str__


def zeros(model: nn.Module, where: Wheres = "**") -> Zeros:
    r"""Count the weights that are exactly 0 in each kernel, and in all.

    .. math:: \text{share} = \frac{\#\{i : w_i = 0\}}{\#\{i\}}

    What the forward uses is counted: a pruned weight times its mask, a parametrized weight as it
    is computed. Tied kernels count once, under their first name; frozen ones count.

    Args:
        model: the model.
        where: which kernels, as in `kernel`: names, globs, types, predicates; the name of a module
            means everything in it. Every kernel by default.

    Returns:
        A mapping from the names of kernels to shares in [0, 1], with `.total` over all of them.

    Raises:
        ConfigurationError: `model` is not a module.
        SelectionError: a `where` that matches no kernel, or a module that is not initialised.
        ArrayTypeError: a complex kernel.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> with torch.no_grad():
        ...     _ = model[0].weight[:2].zero_()
        >>> found = rz.zeros(model)
        >>> print(found)
        kernel    zeros  of  share
        --------  -----  --  -----
        0.weight      8  12  66.7%
        2.weight      0   6   0.0%
        total         8  18  44.4%
        >>> found["2.weight"], round(found.total, 3)
        (0.0, 0.444)
    """
    counts: dict[str, Count] = {}
    seen: set[object] = set()
    with torch.no_grad():
        for parameter in select_kernels(model, where, "zeros"):
            if parameter.identity not in seen:
                seen.add(parameter.identity)
                weight = parameter.read()
                counts[parameter.full_name] = Count(_zeros_in(weight), weight.numel())
    return Zeros(counts)


def _zeros_in(weight: Tensor) -> int:
    return int(whole((weight == 0).sum()))
