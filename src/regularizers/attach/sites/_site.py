"""One site: the output or weight of a module, with its penalties or its constraint."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import nn

from regularizers.attach.rules import ConstraintRule, Kind, Rule
from regularizers.attach.sites._parameter import Parameter
from regularizers.attach.sites._reference import Reference
from regularizers.attach.sites._with_bias import WithBias
from regularizers.constraints import Constraint
from regularizers.penalties import Formula


@dataclass(frozen=True)
class Entry:
    """One elementary penalty at one site; `penalties()` reports it under `key`."""

    key: str
    site: str
    kind: Kind
    term: Formula

    proximal: bool = False
    view: tuple[int, ...] | None = None
    """The shape in which the penalty reads a weight, if it differs from the weight's."""
    written: Formula | None = None
    """The penalty as the user wrote it, if it names an axis by its role."""
    with_bias: WithBias | None = None
    """Reads the bias of the module beside the kernel, if the penalty takes it along."""
    reference: Reference | None = None
    """What the penalty of a weight is measured from and by, if it is not 0 and 1."""
    weights: int | None = None
    """The identity of the weights of units, if the penalty of an output has any."""

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for penalties that differ only in their strength."""
        unit = dataclasses.replace(self.term, strength=1.0)
        joins = self.with_bias is not None
        return unit, self.proximal, joins, self.reference, self.weights

    def penalty_of(self, strength: float) -> str:
        """Return the call that makes the penalty, without the reduction, which the site decides.

        After it stands what it is measured from and by.
        """
        rounded = float(
            f"{strength:.6g}"
        )  # a controller's strength has more digits than are meaningful
        term = self.written or self.term
        call = repr(dataclasses.replace(term, strength=rounded, reduce=None))
        suffix = "by weights" if self.weights is not None else str(self.reference or "")
        return f"{call} {suffix}".rstrip()


@dataclass(frozen=True)
class ActivitySite:
    """The output of one module."""

    module: nn.Module
    rule: Rule
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """The name of the module, for messages."""
        return self.entries[0].site


@dataclass(frozen=True)
class SiteConstraint:
    """The constraint of one weight; `as_dict()` reports the distance from it under `key`."""

    key: str
    constraint: Constraint
    """With axes by number."""
    view: tuple[int, ...] | None
    """The shape in which the constraint reads the weight, if it differs from the weight's."""
    written: Constraint
    """The constraint as the user wrote it."""


@dataclass(frozen=True)
class WeightSite:
    """One weight of one module; a tied weight has several sites."""

    parameter: Parameter
    entries: tuple[Entry, ...] = ()
    constraint: SiteConstraint | None = None

    @property
    def parameters(self) -> list[Parameter]:
        """The weight, and the bias that a penalty reads with it."""
        joined = [entry.with_bias.bias for entry in self.entries if entry.with_bias is not None]
        return [self.parameter, *joined[:1]]


@dataclass(frozen=True)
class SelectedWeights:
    """The weights of one rule; tied weights count once."""

    sites: list[WeightSite]

    def without_site(self, selected: Iterable[Parameter]) -> list[Parameter]:
        """Return the weights that are no sites yet."""
        known = {(site.parameter.owner, site.parameter.full_name) for site in self.sites}
        return [p for p in selected if (p.owner, p.full_name) not in known]

    def counted(self) -> Iterator[WeightSite]:
        """Yield the sites of the currently trainable weights; the first site of tied ones."""
        seen: set[object] = set()
        for site in self.sites:
            if site.parameter.trainable and site.parameter.identity not in seen:
                seen.add(site.parameter.identity)
                yield site


@dataclass(frozen=True)
class WeightGroup(SelectedWeights):
    """The weights that one rule penalises."""

    rule: Rule


@dataclass(frozen=True)
class ConstrainedGroup(SelectedWeights):
    """The weights that one rule constrains."""

    rule: ConstraintRule
