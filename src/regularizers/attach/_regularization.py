"""The rules applied to one model: hooks in, numbers out."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._hooks import Begin, Commit, End, Inert, Tap
from regularizers.attach._ledger import Ledger, Record
from regularizers.attach._marks import marked_rules
from regularizers.attach._names import printable
from regularizers.attach._report import Report, Row
from regularizers.attach._roles import Roles
from regularizers.attach._rules import Rule
from regularizers.attach._sites import Sites, resolve
from regularizers.errors import CollectionError, ConfigurationError, SelectionError


class Regularization:
    """The rules of one model, read by hooks and delivered as an ordinary term of the loss.

    Args:
        model: any module. It is not edited: its outputs, its `state_dict` and its copies are what
            they were, and `detach` takes the hooks away again, as does the end of this object.
        rules: what to penalise where; made by `activity`, `kernel` and `bias`. They add up. What
            `regularize` and `layers.ActivityPenalty` marked in the model is added to them.
        roles: for modules of your own, what their parameters are for: a mapping from a `where` to
            `"kernel"`, `"bias"`, `"embedding"`, `"norm"` or `"other"`, or to a mapping from the
            parameter's name to one of these. `report()` lists what was assumed without it.
        max_uncollected: how many forwards may be recorded before one collection; of modules called
            outside of the model's own forward, how many calls of each.

    Raises:
        SelectionError: a rule that matches nothing, or no rule at all.
        ConfigurationError: something else than a module or a rule.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> reg = rz.Regularization(
        ...     model, [rz.activity(rz.L1(1e-3), where="1"), rz.kernel(rz.L2Squared(1e-4))]
        ... )
        >>> x, y = torch.randn(8, 4), torch.randn(8, 2)
        >>> loss = nn.functional.mse_loss(model(x), y) + reg.penalty()
        >>> loss.backward()
        >>> list(reg.penalties())
        ['1/activity/L1', '0.weight/kernel/L2Squared', '2.weight/kernel/L2Squared']
    """

    def __init__(
        self,
        model: nn.Module,
        rules: Iterable[Rule] = (),
        *,
        roles: Roles | None = None,
        max_uncollected: int = 32,
    ) -> None:
        rules = _checked_rules(model, rules)
        if max_uncollected < 1:
            raise ConfigurationError(
                f"max_uncollected: expected 1 or more forwards, got {max_uncollected}"
            )
        self._model = model
        self._sites: Sites = resolve(model, rules, roles)
        self._entries = {entry.key: entry for entry in self._sites.entries}
        self._ledger = Ledger(max_uncollected)
        self._silent = {e.key for site in self._sites.activities for e in site.entries}
        self._last: dict[str, Tensor] | None = None
        self._unusable: str | None = None
        self._detach = weakref.finalize(self, _remove, self._attach_hooks(), self._ledger)
        self._detach.atexit = False

    def penalty(self) -> Tensor:
        """Return the sum of all penalties, a scalar to add to the loss.

        Activities are those of the forwards since the last call, which are dropped with it;
        weights are read as they are now. In evaluation, under `torch.no_grad`, activities are 0.

        Raises:
            CollectionError: a site that has never fired with gradients; a second call without a
                forward between, or one within it; forwards that had to be dropped; a module that
                was replaced; or a regularization that is detached or a copy.
        """
        self._check_usable()
        self._check_unchanged()
        if self._sites.activities and torch.is_grad_enabled():
            self._ledger.check_complete()
            self._check_every_site_fired()
        units = self._units(self._ledger.take())
        values = {key: self._entries[key].term.strength * unit for key, unit in units.items()}
        self._last = {key: value.detach() for key, value in values.items()}
        return self._total(values.values())

    def penalties(self) -> dict[str, float]:
        """Return what each site contributed to the last collection, for the log.

        A site that did not fire in it has 0; before the first collection there is nothing.
        """
        self._check_usable()
        if self._last is None:
            return {}
        return {key: self._last[key].item() if key in self._last else 0.0 for key in self._entries}

    def report(self) -> Report:
        """Return a table of the sites with their penalties and last values; `print` it."""
        self._check_usable()
        values = self.penalties()
        rows = [
            Row(e.site, e.kind, e.plain_penalty, e.term.reduce or "sum", values.get(e.key))
            for e in self._entries.values()
        ]
        return Report(tuple(rows), self._sites.notes)

    def detach(self) -> None:
        """Take the hooks away: the model is as it was before. A second call does nothing."""
        if self._unusable is None:
            self._detach()
            self._unusable = "was detached from its model"

    def __repr__(self) -> str:
        if self._unusable is not None:
            return f"<Regularization that {self._unusable}>"
        kinds = [entry.kind for entry in self._entries.values()]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return f"Regularization({printable('', self._model)}: {counts})"

    def __getstate__(self) -> dict[str, object]:
        # taps belong to one regularization: the copy knows no more than that it is one
        return {"_unusable": "is a copy, whose hooks stayed with the original"}

    def _attach_hooks(self) -> list[RemovableHandle]:
        _remove_inert_hooks(self._model)
        if not self._sites.activities:
            return []
        handles = [
            site.module.register_forward_hook(
                Tap(
                    self._ledger,
                    site.entries[0].site,
                    tuple([(entry.key, entry.term) for entry in site.entries]),
                    site.select,
                )
            )
            for site in self._sites.activities
        ]
        return [
            *handles,
            self._model.register_forward_pre_hook(Begin(self._ledger), prepend=True),
            self._model.register_forward_hook(Commit(self._ledger)),
            self._model.register_forward_hook(End(self._ledger), always_call=True),
        ]

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise CollectionError(
                f"this Regularization {self._unusable}; attach a new one: "
                f"Regularization(model, rules)"
            )

    def _check_unchanged(self) -> None:
        for link in self._sites.links:
            if not link.holds:
                raise CollectionError(
                    f"{link.full_name} was replaced after this Regularization was attached, "
                    f"which still knows the module that was there; detach() it and attach a new one"
                )

    def _check_every_site_fired(self) -> None:
        self._silent -= {record.key for record in self._ledger.records()}
        for key in self._entries:
            if key in self._silent:
                self._raise_silent(self._entries[key].site)

    def _raise_silent(self, site: str) -> NoReturn:
        module = next(s.module for s in self._sites.activities if s.entries[0].site == site)
        why = (
            "it is in evaluation mode"
            if not module.training
            else "is it called by the forward, as module(x) and not as module.forward(x)?"
        )
        raise CollectionError(f"{site}: the site has never fired with gradients; {why}")

    def _units(self, records: list[Record]) -> dict[str, Tensor]:
        """Return the penalties for a strength of 1, those of several calls added up."""
        units: dict[str, Tensor] = {}
        for record in records:
            known = units.get(record.key)
            units[record.key] = record.value if known is None else known + record.value
        for group in self._sites.weights:
            units.update({entry.key: value for entry, value in group.read()})
        return units

    def _total(self, values: Iterable[Tensor]) -> Tensor:
        parts = list(values)
        if not parts:
            anywhere = next(self._model.parameters(), torch.zeros(()))
            return torch.zeros((), device=anywhere.device)
        total = parts[0]
        for part in parts[1:]:
            total = total + part.to(total.device)
        return total


def _checked_rules(model: nn.Module, rules: Iterable[Rule]) -> list[Rule]:
    if not isinstance(model, nn.Module):
        raise ConfigurationError(
            f"Regularization: expected a torch.nn.Module, got {type(model).__name__}"
        )
    if isinstance(rules, Rule):
        raise ConfigurationError(f"Regularization: expected a list of rules; write [{rules}]")
    rules = list(rules)
    for rule in rules:
        if not isinstance(rule, Rule):
            raise ConfigurationError(
                f"Regularization: expected rules made by activity, kernel or bias, got {rule!r}"
            )
    rules += marked_rules(model)
    if not rules:
        raise SelectionError(
            "Regularization: no rules were given, and no module is marked by regularize() or is "
            "a layers.ActivityPenalty"
        )
    return rules


def _remove(handles: list[RemovableHandle], ledger: Ledger) -> None:
    for handle in handles:
        handle.remove()
    ledger.clear()


def _remove_inert_hooks(model: nn.Module) -> None:
    """Remove what hooks left behind when this model was copied from another."""
    for module in model.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks):
            for key in [key for key, hook in hooks.items() if isinstance(hook, Inert)]:
                del hooks[key]
                module._forward_hooks_always_called.pop(key, None)
