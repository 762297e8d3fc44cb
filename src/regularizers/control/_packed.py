"""The state of `ProportionalIntegral` in few tensors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple


class Packed(NamedTuple):
    """A state whose averages of the quantity and of the scale are in one tensor.

    Each has an element for each target, or 0 dimensions if there is one.

    Attributes:
        initial: the target's `initial`.
        integral: L, the logarithm of the strength without the proportional part.
        looked_on: the number of steps with a finite scale.
        totals: (2, ...), the weighted sums of the quantity and of the scale.
        weights: (2, ...), the sums of their weights.

    Example:
        >>> import torch
        >>> from regularizers.control import Packed, ProportionalIntegral
        >>> state = ProportionalIntegral().init(torch.tensor(1e-3, dtype=torch.float64))
        >>> Packed.of(state).totals
        tensor([0., 0.], dtype=torch.float64)
        >>> Packed.of(state).named().keys() == state.keys()
        True
    """

    initial: Any
    integral: Any
    looked_on: Any
    totals: Any
    weights: Any

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Packed:
        """Return the state whose tensors have names.

        Args:
            state: what `init` or `update` of the law returned.
        """
        torch = importlib.import_module("torch")
        totals, weights = [
            torch.stack([state[f"measured_{kind}"], state[f"scale_{kind}"]])
            for kind in ("total", "weight")
        ]
        return cls(state["initial"], state["integral"], state["looked_on"], totals, weights)

    def named(self) -> dict[str, Any]:
        """Return the tensors by the names that the law has for them."""
        return {
            "initial": self.initial,
            "integral": self.integral,
            "looked_on": self.looked_on,
            "measured_total": self.totals[0],
            "measured_weight": self.weights[0],
            "scale_total": self.totals[1],
            "scale_weight": self.weights[1],
        }
