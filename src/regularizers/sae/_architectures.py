"""The nonlinearities of sparse codes, and the penalty by which each is told its active units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from regularizers.attach import Rule, activity
from regularizers.control import TargetActive
from regularizers.errors import ConfigurationError
from regularizers.layers import BatchTopK, Gated, JumpReLU, TopK
from regularizers.penalties import L0, L1

Architecture: TypeAlias = Literal["jumprelu", "topk", "batchtopk", "gated", "l1"]


@dataclass(frozen=True)
class Coding:
    """How one architecture makes a code, and what holds its number of active units."""

    layer: Callable[[int, Any], nn.Module]
    """Returns the nonlinearity for a number of units, of which so many are to be active."""

    penalty: type[L0 | L1] | None = None
    """Has a target, the active units; None where the nonlinearity counts by itself."""

    site: str = "coding"
    """Where the penalty reads."""

    def rules(self, active: Any) -> list[Rule]:
        """Return the rules that hold the active units."""
        if self.penalty is None:
            return []
        return [activity(self.penalty(TargetActive(active)), where=self.site)]


CODINGS: dict[str, Coding] = {
    "jumprelu": Coding(lambda units, _: JumpReLU(units), L0, "coding.gate"),
    "topk": Coding(lambda _, active: TopK(round(active))),
    "batchtopk": Coding(lambda _, active: BatchTopK(active, process_group="world")),
    "gated": Coding(lambda units, _: Gated(units), L1, "coding.gate"),
    "l1": Coding(lambda *_: nn.ReLU(), L1),
}


def coding_of(architecture: str) -> Coding:
    """Return how an architecture makes its code.

    Raises:
        ConfigurationError: an unknown architecture.
    """
    if architecture not in CODINGS:
        raise ConfigurationError(
            f"architecture: expected one of {', '.join(map(repr, get_args(Architecture)))}, got "
            f"{architecture!r}"
        )
    return CODINGS[architecture]
