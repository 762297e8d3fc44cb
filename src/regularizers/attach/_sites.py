"""Sites: every place a penalty acts, resolved from the rules for one model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from regularizers.attach._function import penalise
from regularizers.attach._links import Links
from regularizers.attach._names import printable
from regularizers.attach._roles import Parameter, Roles, parameters_of
from regularizers.attach._rules import Kind, Rule
from regularizers.attach._select import select_modules
from regularizers.attach._weights import select_weights
from regularizers.penalties._difference import Difference
from regularizers.penalties._elementary import Elementary


@dataclass(frozen=True)
class Entry:
    """One elementary penalty at one site, under the key that `penalties()` reports it by."""

    key: str
    site: str
    kind: Kind
    term: Elementary

    proximal: bool = False

    def penalty_of(self, strength: float) -> str:
        """Return the call that makes the penalty, less the reduction, settled by the site."""
        rounded = float(f"{strength:.6g}")  # one that was found has more digits than say anything
        return repr(dataclasses.replace(self.term, strength=rounded, reduce=None))


@dataclass(frozen=True)
class ActivitySite:
    """The output of one module."""

    module: nn.Module
    rule: Rule
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """The name of the module, as a person reads it."""
        return self.entries[0].site


@dataclass(frozen=True)
class WeightSite:
    """One weight, at one of the places it may have in the model."""

    parameter: Parameter
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class WeightGroup:
    """The weights of one rule, of which tied ones count once."""

    sites: tuple[WeightSite, ...]

    def counted(self) -> Iterator[WeightSite]:
        """Yield the sites of trainable weights as they are now, of tied ones the first."""
        seen: set[int] = set()
        for site in self.sites:
            if site.parameter.trainable and site.parameter.identity not in seen:
                seen.add(site.parameter.identity)
                yield site

    def read(self) -> Iterator[tuple[Entry, Tensor]]:
        """Yield the penalties of the trainable weights as they are now, for a strength of 1."""
        for site in self.counted():
            weight = site.parameter.read()
            for entry in site.entries:
                axis = entry.term.batch_axis
                value = penalise(weight, entry.term, 0 if axis is None else axis)
                # of a sharded weight (DTensor) each process has a part of the sum
                yield entry, value.full_tensor() if isinstance(value, DTensor) else value


@dataclass(frozen=True)
class Sites:
    """Every site of one model, and what had to be assumed to find them."""

    activities: tuple[ActivitySite, ...]
    weights: tuple[WeightGroup, ...]
    notes: tuple[str, ...]
    links: Links

    @property
    def parameters(self) -> list[Parameter]:
        """The weights, at each of their places."""
        return [site.parameter for group in self.weights for site in group.sites]

    @property
    def entries(self) -> Iterator[Entry]:
        """Every penalty at every site: activities first, then weights, each as in the rules."""
        for activity in self.activities:
            yield from activity.entries
        for group in self.weights:
            for site in group.sites:
                yield from site.entries


def resolve(model: nn.Module, rules: Sequence[Rule], roles: Roles | None) -> Sites:
    """Return the sites that `rules` mean in `model`; the model stays as it is.

    Raises:
        SelectionError: a rule that matches nothing.
    """
    needs_parameters = bool(roles) or any(rule.kind != "activity" for rule in rules)
    parameters = parameters_of(model, roles) if needs_parameters else []
    names: list[str] = []
    keys = _Keys()
    activities: list[ActivitySite] = []
    weights: list[WeightGroup] = []
    assumed: dict[str, str] = {}
    for rule in rules:
        if rule.kind == "activity":
            modules = select_modules(model, rule.where, str(rule))
            names += [name for name, _ in modules]
            activities += [
                ActivitySite(module, rule, keys.entries(printable(name), rule))
                for name, module in modules
            ]
            continue
        meant = select_weights(rule, model, parameters)
        names += [p.owner_name for p in meant]
        weights.append(
            WeightGroup(tuple([WeightSite(p, keys.entries(p.full_name, rule)) for p in meant]))
        )
        assumed |= {p.full_name: _note(p) for p in parameters if p.assumed}
    return Sites(tuple(activities), tuple(weights), tuple(assumed.values()), Links(model, names))


def _note(parameter: Parameter) -> str:
    owner = type(parameter.owner).__name__
    return (
        f"assumed: {parameter.full_name} of {owner} has the role {parameter.role!r}; "
        f"roles={{{owner}: ...}} says otherwise"
    )


def _kind(rule: Rule, term: Elementary) -> Kind:
    return "temporal" if isinstance(term, Difference) else rule.kind


class _Keys:
    """Keys `site/kind/penalty`, of which a second one alike gets `#2`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def entries(self, site: str, rule: Rule) -> tuple[Entry, ...]:
        return tuple(
            [
                Entry(self._key(site, rule, term), site, _kind(rule, term), term, rule.proximal)
                for term in rule.terms
            ]
        )

    def _key(self, site: str, rule: Rule, term: Elementary) -> str:
        of = term.of if isinstance(term, Difference) else term
        key = f"{site}/{_kind(rule, term)}/{type(of).__name__}"
        self._counts[key] += 1
        return key if self._counts[key] == 1 else f"{key}#{self._counts[key]}"
