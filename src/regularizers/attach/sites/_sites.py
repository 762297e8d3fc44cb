"""Sites: every place a penalty acts, resolved from the rules for one model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from regularizers.attach._rules import Kind, Rule
from regularizers.attach.sites._axis_roles import view_of
from regularizers.attach.sites._inventory import Inventory, Links
from regularizers.attach.sites._parameter import Parameter
from regularizers.attach.sites._roles import Roles, parameters_of
from regularizers.attach.sites._select_weights import select_weights
from regularizers.modules import printable, select_modules
from regularizers.penalties import Difference, Formula


@dataclass(frozen=True)
class Entry:
    """One elementary penalty at one site, under the key that `penalties()` reports it by."""

    key: str
    site: str
    kind: Kind
    term: Formula

    proximal: bool = False
    view: tuple[int, ...] | None = None
    """The shape in which the penalty reads a weight, where that is not the weight's own."""
    written: Formula | None = None
    """The penalty as the rule has it, where it names an axis by its role."""

    @property
    def alike(self) -> tuple[Formula, bool]:
        """Equal for penalties that differ in nothing but their strength."""
        return dataclasses.replace(self.term, strength=1.0), self.proximal

    def penalty_of(self, strength: float) -> str:
        """Return the call that makes the penalty, less the reduction, settled by the site."""
        rounded = float(f"{strength:.6g}")  # one that was found has more digits than say anything
        term = self.written or self.term
        return repr(dataclasses.replace(term, strength=rounded, reduce=None))


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

    rule: Rule
    sites: list[WeightSite]

    def counted(self) -> Iterator[WeightSite]:
        """Yield the sites of trainable weights as they are now, of tied ones the first."""
        seen: set[object] = set()
        for site in self.sites:
            if site.parameter.trainable and site.parameter.identity not in seen:
                seen.add(site.parameter.identity)
                yield site


class Sites:
    """Every site of one model, and what had to be assumed to find them.

    The rules are about the model as it is: modules and weights that are added later join, once
    `follow` is called.

    Args:
        model: the model; it stays as it is.
        rules: the penalties, and the sites they are for.
        roles: what parameters are for, where the user says it.

    Raises:
        SelectionError: a rule that matches nothing.
    """

    def __init__(self, model: nn.Module, rules: Sequence[Rule], roles: Roles | None) -> None:
        self._model, self._rules, self._roles = model, tuple(rules), roles
        self._keys = _Keys()
        self.inventory = Inventory(model)
        """Tells whether modules or weights of the model are others than when it was followed."""
        self._links = Links(model, ())
        self._assumed: dict[str, str] = {}
        self.activities: list[ActivitySite] = []
        self.weights = [WeightGroup(rule, []) for rule in self._rules if rule.kind != "activity"]
        self.follow()

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed."""
        return tuple(self._assumed.values())

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

    @property
    def places(self) -> dict[object, str]:
        """The key of each penalty by what it is and where, whatever its strength."""
        found: dict[object, str] = {}
        for activity in self.activities:
            for entry in activity.entries:
                found[id(activity.module), "output", entry.alike] = entry.key
        for group in self.weights:
            for site in group.sites:
                parameter = site.parameter
                for entry in site.entries:
                    found[id(parameter.owner), parameter.name, entry.alike] = entry.key
        return found

    def replaced(self) -> str | None:
        """Return the full name of a module with a site that is no more where it was, if any."""
        return self._links.replaced()

    def follow(self) -> list[ActivitySite]:
        """Resolve the rules again; return the sites of outputs that are new.

        Raises:
            SelectionError: a rule that matches nothing; nothing has changed then.
        """
        modules = [
            (rule, select_modules(self._model, rule.where, str(rule)))
            for rule in self._rules
            if rule.kind == "activity"
        ]
        needs_parameters = bool(self._roles) or bool(self.weights)
        parameters = parameters_of(self._model, self._roles) if needs_parameters else []
        weights = [select_weights(group.rule, self._model, parameters) for group in self.weights]
        if self.weights:
            self._assumed |= {p.full_name: _note(p) for p in parameters if p.assumed}
        for group, meant in zip(self.weights, weights, strict=True):
            self._join(group, meant)
        known = {(id(site.rule), site.module) for site in self.activities}
        new = [
            ActivitySite(module, rule, self._keys.entries(printable(name), rule))
            for rule, named in modules
            for name, module in named
            if (id(rule), module) not in known
        ]
        self.activities += new
        names = [name for _, named in modules for name, _ in named]
        names += [parameter.owner_name for meant in weights for parameter in meant]
        self._links = Links(self._model, names)
        self.inventory.take()
        return new

    def _join(self, group: WeightGroup, meant: Sequence[Parameter]) -> None:
        known = {(site.parameter.owner, site.parameter.full_name) for site in group.sites}
        for parameter in meant:
            if (parameter.owner, parameter.full_name) not in known:
                entries = self._keys.entries(parameter.full_name, group.rule)
                entries = tuple([_with_axes(entry, parameter) for entry in entries])
                group.sites.append(WeightSite(parameter, entries))


def _with_axes(entry: Entry, parameter: Parameter) -> Entry:
    """Return the entry with the axes by number that its penalty names by their role."""
    if not entry.term.by_role:
        return entry
    with torch.no_grad():
        shape = parameter.read().shape
    view, term = view_of(parameter.owner, parameter.name, shape, entry.term, entry.site)
    return dataclasses.replace(entry, view=view, term=term, written=entry.term)


def _note(parameter: Parameter) -> str:
    owner = type(parameter.owner).__name__
    return (
        f"assumed: {parameter.full_name} of {owner} has the role {parameter.role!r}; "
        f"roles={{{owner}: ...}} says otherwise"
    )


def _kind(rule: Rule, term: Formula) -> Kind:
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

    def _key(self, site: str, rule: Rule, term: Formula) -> str:
        of = term.of if isinstance(term, Difference) else term
        key = f"{site}/{_kind(rule, term)}/{of.label}"
        self._counts[key] += 1
        return key if self._counts[key] == 1 else f"{key}#{self._counts[key]}"
