"""The nonlinearities of sparse codes, and the rules by which each keeps to its active units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from regularizers.attach import AnyRule, activity, constraint
from regularizers.constraints import NonNegative
from regularizers.control import Law, ProportionalIntegral, TargetActive
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

    law: Law | None = None
    """How the target finds its strength; None: as any target does."""

    site: str = "coding"
    """Where the penalty reads."""

    threshold: str | None = None
    """The name of the thresholds, which are 0 or more; None where the nonlinearity has none."""

    def rules(self, active: Any) -> list[AnyRule]:
        """Return the rules that hold the active units, and thresholds at 0 or more."""
        rules: list[AnyRule] = []
        if self.penalty is not None:
            rules.append(
                activity(self.penalty(TargetActive(active, law=self.law)), where=self.site)
            )
        if self.threshold is not None:
            rules.append(constraint(NonNegative(), where=self.threshold))
        return rules


CODINGS: dict[str, Coding] = {
    "jumprelu": Coding(
        lambda units, _: JumpReLU(units),
        L0,
        # its thresholds are set such that it begins at the target
        ProportionalIntegral(begin=1e-3),
        "coding.gate",
        "coding.gate.threshold",
    ),
    "topk": Coding(lambda _, active: TopK(round(active))),
    "batchtopk": Coding(lambda _, active: BatchTopK(active, process_group="world")),
    "gated": Coding(lambda units, _: Gated(units), L1, site="coding.gate"),
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
