"""Which penalties share one strength with a target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from regularizers.attach.rules import Rule
from regularizers.attach.sites import Entry, Sites
from regularizers.control import Target


class TargetPlace(NamedTuple):
    """A penalty with a target at one site."""

    key: str
    target: Target
    group: object
    """Equal for penalties that share one strength."""
    headroom: float


PSEUDO_GRADIENT = 3.0
"""How many times the scale a strength may be at a gate: its pull is uneven over its window."""


def target_places(sites: Sites) -> Iterator[TargetPlace]:
    """Yield every penalty whose strength is a target."""
    for site in sites.activities:
        window = hasattr(site.module, "pseudo_gradient_window")
        yield from _places(site.rule, site.entries, site.module if window else None)
    for group in sites.weights:
        for weight in group.sites:
            yield from _places(group.rule, weight.entries, None)


def _places(
    rule: Rule, entries: tuple[Entry, ...], gate: nn.Module | None
) -> Iterator[TargetPlace]:
    for number, entry in enumerate(entries):
        target = entry.term.strength
        if not isinstance(target, Target):
            continue
        group: object = entry.key
        if target.measures == "loss":
            group = "loss", target
        elif target.shares or rule.shared:
            group = "rule", id(rule), number
        headroom = target.headroom if gate is None else PSEUDO_GRADIENT
        yield TargetPlace(entry.key, target, group, headroom)
