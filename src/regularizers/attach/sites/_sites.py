"""Sites: the outputs and weights of one model that the rules resolve to, with their penalties."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from regularizers._keys import Keys, key_of
from regularizers.attach.rules import Kind, Rule
from regularizers.attach.sites._axis_roles import view_of
from regularizers.attach.sites._initial import InitialWeights
from regularizers.attach.sites._inventory import Inventory, ModulePaths
from regularizers.attach.sites._parameter import Parameter
from regularizers.attach.sites._reference import Reference, References
from regularizers.attach.sites._roles import Roles, parameters_of
from regularizers.attach.sites._select_weights import select_weights
from regularizers.errors import CollectionError, SelectionError
from regularizers.modules import Wheres, described, printable, select_modules
from regularizers.penalties import Difference, Formula


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
    reference: Reference | None = None
    """What the penalty of a weight is measured from and by, if it is not 0 and 1."""
    weights: int | None = None
    """The identity of the weights of units, if the penalty of an output has any."""

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for penalties that differ only in their strength."""
        unit = dataclasses.replace(self.term, strength=1.0)
        return unit, self.proximal, self.reference, self.weights

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
class WeightSite:
    """One weight of one module; a tied weight has several sites."""

    parameter: Parameter
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class WeightGroup:
    """The weights of one rule; tied weights count once."""

    rule: Rule
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


class Sites:
    """All sites of one model, and the roles that were assumed to find them.

    Modules and weights that are added to the model later become sites at the next `follow`.

    Args:
        model: the model, which is not edited.
        rules: the penalties, and the sites that they select.
        roles: the roles of parameters that the user states.

    Raises:
        SelectionError: a rule that matches nothing.
    """

    def __init__(self, model: nn.Module, rules: Sequence[Rule], roles: Roles | None) -> None:
        self._model, self._rules, self._roles = model, tuple(rules), roles
        self._keys = Keys()
        self.inventory = Inventory(model)
        """Tells whether modules or weights of the model have changed since the last `follow`."""
        self.initial = InitialWeights(model)
        """The weights at the start of the run, for rules with `towards="initial"`."""
        self._paths = ModulePaths(model, ())
        self._assumed: dict[str, str] = {}
        self.activities: list[ActivitySite] = []
        self.weights = [WeightGroup(rule, []) for rule in self._rules if rule.kind != "activity"]
        self.follow()

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each role that was assumed."""
        return tuple(self._assumed.values())

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of all weight sites."""
        return [site.parameter for group in self.weights for site in group.sites]

    @property
    def entries(self) -> Iterator[Entry]:
        """Every penalty at every site: activities first, then weights, in the order of rules."""
        for activity in self.activities:
            yield from activity.entries
        for group in self.weights:
            for site in group.sites:
                yield from site.entries

    def penalised(self, where: Wheres) -> list[nn.Module]:
        """Return the modules that a `where` of `mask` means, of those with a penalised activity.

        Raises:
            SelectionError: there is none.
        """
        known = {site.module for site in self.activities}
        wanted = select_modules(self._model, where, "mask")
        meant = [module for _, module in wanted if module in known]
        if not meant:
            raise SelectionError(
                f"mask: {described(where)} matches no module whose activity is penalised; those "
                f"are {', '.join(site.name for site in self.activities) or 'none'}"
            )
        return meant

    @property
    def places(self) -> dict[object, str]:
        """Maps each penalty's site and signature, without its strength, to its key."""
        found: dict[object, str] = {}
        for activity in self.activities:
            for entry in activity.entries:
                found[id(activity.module), "output", entry.signature] = entry.key
        for group in self.weights:
            for site in group.sites:
                parameter = site.parameter
                for entry in site.entries:
                    found[id(parameter.owner), parameter.name, entry.signature] = entry.key
        return found

    def check_not_replaced(self) -> None:
        """Raise if the module of a site is no longer where it was in the model."""
        replaced = self._paths.replaced()
        if replaced is not None:
            raise CollectionError(
                f"{replaced} was replaced after this Regularization was attached, which still "
                f"knows the module that was there; detach() it and attach a new one"
            )

    def follow(self) -> list[ActivitySite]:
        """Resolve the rules again; return the new activity sites.

        Raises:
            SelectionError: a rule that matches nothing; the sites are unchanged then.
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
        references = References(parameters, self.initial)
        added = [
            [(p, references.of(group.rule, p)) for p in group.without_site(selected)]
            for group, selected in zip(self.weights, weights, strict=True)
        ]
        for group, some in zip(self.weights, added, strict=True):
            self._add_sites(group, some)
        known = {(id(site.rule), site.module) for site in self.activities}
        new = [
            ActivitySite(module, rule, self._entries(key_of(name), printable(name), rule))
            for rule, named in modules
            for name, module in named
            if (id(rule), module) not in known
        ]
        self.activities += new
        names = [name for _, named in modules for name, _ in named]
        names += [parameter.owner_name for selected in weights for parameter in selected]
        self._paths = ModulePaths(self._model, names)
        self.inventory.take()
        return new

    def _add_sites(
        self, group: WeightGroup, added: Iterable[tuple[Parameter, Reference | None]]
    ) -> None:
        for parameter, reference in added:
            name = parameter.full_name
            entries = self._entries(name, name, group.rule)
            entries = tuple([_with_axes(entry, parameter) for entry in entries])
            if reference is not None:
                entries = tuple([dataclasses.replace(e, reference=reference) for e in entries])
            group.sites.append(WeightSite(parameter, entries))

    def _entries(self, key: str, site: str, rule: Rule) -> tuple[Entry, ...]:
        entries = []
        for term in rule.terms:
            kind: Kind = "temporal" if isinstance(term, Difference) else rule.kind
            of = term.of if isinstance(term, Difference) else term
            label = of.label if rule.towards is None else f"{of.label}/towards"
            unique = self._keys.add(f"{key}/{kind}/{label}")
            weights = None if rule.weights is None else id(rule.weights)
            entries.append(Entry(unique, site, kind, term, rule.proximal, weights=weights))
        return tuple(entries)


def _with_axes(entry: Entry, parameter: Parameter) -> Entry:
    """Return the entry with axes by number instead of by role."""
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
