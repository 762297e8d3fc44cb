"""Sites: the outputs and weights of one model that the rules resolve to, with their penalties."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from regularizers._keys import Keys, key_of
from regularizers.attach.rules import AnyRule, ConstraintRule, Kind, Rule
from regularizers.attach.sites._axis_roles import view_for_constraint
from regularizers.attach.sites._entry_axes import with_axes
from regularizers.attach.sites._initial import InitialWeights
from regularizers.attach.sites._inventory import Inventory, ModulePaths
from regularizers.attach.sites._parameter import Parameter
from regularizers.attach.sites._reference import Reference, References
from regularizers.attach.sites._roles import Roles, parameters_of
from regularizers.attach.sites._select_weights import select_weights
from regularizers.attach.sites._site import (
    ActivitySite,
    ConstrainedGroup,
    Entry,
    SiteConstraint,
    WeightGroup,
    WeightSite,
)
from regularizers.errors import CollectionError, SelectionError, ShapeError
from regularizers.modules import Wheres, described, printable, select_modules
from regularizers.penalties import Difference


class Sites:
    """All sites of one model, and the roles that were assumed to find them.

    Modules and weights that are added to the model later become sites at the next `follow`.

    Args:
        model: the model, which is not edited.
        rules: the penalties and constraints, and the sites that they select.
        roles: the roles of parameters that the user states.

    Raises:
        SelectionError: a rule that matches nothing.
    """

    def __init__(self, model: nn.Module, rules: Sequence[AnyRule], roles: Roles | None) -> None:
        self._model, self._roles = model, roles
        self._rules = tuple([rule for rule in rules if isinstance(rule, Rule)])
        self._keys = Keys()
        self.inventory = Inventory(model)
        """Tells whether modules or weights of the model have changed since the last `follow`."""
        self.initial = InitialWeights(model)
        """The weights at the start of the run, for rules with `towards="initial"`."""
        self._paths = ModulePaths(model, ())
        self._assumed: dict[str, str] = {}
        self.activities: list[ActivitySite] = []
        self.weights = [WeightGroup([], rule) for rule in self._rules if rule.kind != "activity"]
        self.constrained = [
            ConstrainedGroup([], rule) for rule in rules if isinstance(rule, ConstraintRule)
        ]
        self.follow()

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each role that was assumed."""
        return tuple(self._assumed.values())

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of all weight sites, and the biases that are read with them."""
        return [p for group in self.weights for site in group.sites for p in site.parameters]

    @property
    def in_step(self) -> Sequence[WeightGroup | ConstrainedGroup]:
        """The weights that a step of an optimizer penalises or constrains."""
        return [*self.weights, *self.constrained]

    @property
    def constraints(self) -> Iterator[tuple[Parameter, SiteConstraint]]:
        """Every constraint of every weight, in the order of rules."""
        for group in self.constrained:
            for site in group.sites:
                if site.constraint is not None:
                    yield site.parameter, site.constraint

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
        """Maps each site and its penalty's signature, or its constraint, to its key."""
        found: dict[object, str] = {}
        for activity in self.activities:
            for entry in activity.entries:
                found[id(activity.module), "output", entry.signature] = entry.key
        for group in self.weights:
            for site in group.sites:
                parameter = site.parameter
                for entry in site.entries:
                    found[id(parameter.owner), parameter.name, entry.signature] = entry.key
        for parameter, one in self.constraints:
            found[id(parameter.owner), parameter.name, one.constraint] = one.key
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
        groups = self.in_step
        needs_parameters = bool(self._roles) or bool(groups)
        parameters = parameters_of(self._model, self._roles) if needs_parameters else []
        weights = [select_weights(group.rule, self._model, parameters) for group in groups]
        if groups:
            self._assumed |= {p.full_name: _note(p) for p in parameters if p.assumed}
        references = References(parameters, self.initial)
        added = [
            [(p, _reference(references, group, p)) for p in group.without_site(selected)]
            for group, selected in zip(groups, weights, strict=True)
        ]
        for group, some in zip(groups, added, strict=True):
            for parameter, reference in some:
                group.sites.append(self._weight_site(parameter, reference, group))
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

    def _weight_site(
        self,
        parameter: Parameter,
        reference: Reference | None,
        group: WeightGroup | ConstrainedGroup,
    ) -> WeightSite:
        if isinstance(group, ConstrainedGroup):
            return WeightSite(parameter, constraint=self._constraint(parameter, group.rule))
        name = parameter.full_name
        entries = [with_axes(e, parameter) for e in self._entries(name, name, group.rule)]
        if reference is not None:
            entries = [dataclasses.replace(entry, reference=reference) for entry in entries]
        return WeightSite(parameter, tuple(entries))

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

    def _constraint(self, parameter: Parameter, rule: ConstraintRule) -> SiteConstraint:
        written, name = rule.constraint, parameter.full_name
        with torch.no_grad():
            shape = tuple(parameter.read().shape)
        view, numbered = view_for_constraint(parameter.owner, parameter.name, shape, written, name)
        try:
            numbered.check_shape(view or shape)
        except ShapeError as error:
            raise ShapeError(f"{name}: {written!r}: {error}") from None
        key = self._keys.add(f"{name}/{rule.kind}/{type(written).__name__}")
        return SiteConstraint(key, numbered, view, written)


def _reference(
    references: References, group: WeightGroup | ConstrainedGroup, parameter: Parameter
) -> Reference | None:
    """Return what a weight is measured from and by; None where nothing is measured."""
    return references.of(group.rule, parameter) if isinstance(group, WeightGroup) else None


def _note(parameter: Parameter) -> str:
    owner = type(parameter.owner).__name__
    return (
        f"assumed: {parameter.full_name} of {owner} has the role {parameter.role!r}; "
        f"roles={{{owner}: ...}} says otherwise"
    )
