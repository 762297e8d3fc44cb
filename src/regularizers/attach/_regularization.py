"""The rules applied to one model: hooks in, numbers out."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach._delivery import Attachment, Delivery
from regularizers.attach._processes import Processes, ProcessGroup
from regularizers.attach._report import Report
from regularizers.attach.collect import Collect
from regularizers.attach.control import Control, Reached
from regularizers.attach.inject import Injection
from regularizers.attach.rules import Rule
from regularizers.attach.sites import FollowHook, Roles, Sites, Strengths, all_rules, check_suited
from regularizers.attach.step import Apply, AttachedRegularization, attach_to
from regularizers.errors import CollectionError, ConfigurationError, RegimeError
from regularizers.modules import Wheres, check_model, printable, remove_inert_hooks

_DELIVERIES: Mapping[str, Callable[[Attachment], Delivery]] = {
    "collect": Collect,
    "inject": Injection,
}


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
        delivery: `"collect"`, where `penalty()` is a term of the loss; or `"inject"`, where the
            gradient enters by the data path and `scale_from(loss)` gives its scale: for reentrant
            checkpoints, checkpoints inside `torch.compile`, stages of a pipeline, and trainers
            that own the loss.
        process_group: the processes that share one batch: `"world"` for all of them, looked up at
            the first collection, or a `torch.distributed.ProcessGroup`. Activities are then
            penalised as one process would penalise the joined batch, however unequal its parts;
            with `"inject"`, sums and means of equal parts. `"local"`: each process penalises its
            own part. None is the same, but raises where that is not the whole batch's penalty.
        max_uncollected: how many forwards may be recorded before one collection; of modules called
            outside of the model's own forward, how many calls of each.

    Raises:
        SelectionError: a rule that matches nothing, or no rule at all.
        ConfigurationError: something else than a module or a rule.
        RegimeError: a model in `nn.DataParallel`.

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
        delivery: Literal["collect", "inject"] = "collect",
        process_group: ProcessGroup = None,
        max_uncollected: int = 32,
    ) -> None:
        check_model(model, "Regularization", "whose records are lost")
        rules = all_rules(model, rules)
        if delivery not in _DELIVERIES:
            raise ConfigurationError(f"delivery: expected 'collect' or 'inject', got {delivery!r}")
        self._model = model
        self._sites = Sites(model, rules, roles)
        check_suited(self._sites.activities)
        self._strengths = Strengths(self._sites.entries)
        processes = Processes(process_group)
        self._control = Control(model, self._sites, self._strengths, processes)
        self._delivery = _DELIVERIES[delivery](
            Attachment(model, self._sites, self._strengths, processes, max_uncollected)
        )
        self._applied: Apply | None = None
        self._unusable: str | None = None
        remove_inert_hooks(model)
        follow_hook = FollowHook(self._sites.inventory, self._follow)
        self._handles = self._delivery.attach(self._control.gauges, follow_hook)
        self._handles += self._control.attach()
        self._detach = weakref.finalize(self, _remove, self._handles, self._delivery)
        self._detach.atexit = False

    def penalty(self) -> Tensor:
        """Return the sum of all penalties, a scalar to add to the loss.

        Activities are those of the forwards since the last call, which are dropped with it;
        weights are read as they are now. In evaluation, under `torch.no_grad`, activities are 0.

        Raises:
            CollectionError: a site that has never fired with gradients; a second call without a
                forward between, or one within it; forwards that had to be dropped; a module that
                was replaced; or a regularization that is detached or a copy.
            RegimeError: the delivery is `"inject"`.
        """
        self._check_usable()
        if self._applied is not None:
            self._applied.check_steps(within_step=True)
        self._control.used()
        return self._delivery.penalty()

    def scale_from(self, loss: Tensor) -> Tensor:
        """Return `loss` as it is; in its backward pass the penalties take their scale from it.

        For `delivery="inject"`: the gradient of each penalty enters by the data path, multiplied
        by the gradient that reaches the loss, so that a loss scale, an accumulation over
        micro-batches or an average over processes scales it too.

        Args:
            loss: the loss that `backward` is called on, or that a trainer owns; a scalar.

        Raises:
            RegimeError: the delivery is `"collect"`.
        """
        self._check_usable()
        if self._applied is not None:
            self._applied.check_steps(within_step=True)
        self._control.used()
        return self._delivery.scale_from(loss)

    def set_scale(self, scale: float) -> None:
        """Say the scale of the loss where it is never seen, as in a stage of a pipeline.

        For `delivery="inject"`. It holds until it is set again; a loss that went through
        `scale_from` goes before it.

        Raises:
            RegimeError: the delivery is `"collect"`.
            StrengthError: a scale that is negative, NaN or infinite.
        """
        self._check_usable()
        self._delivery.set_scale(scale)

    def attach(self, *optimizers: Optimizer) -> None:
        """Let weight penalties enter within `optimizer.step()`, as its own weight decay does.

        Their gradients are added to `.grad` after unscaling and clipping, once a step, by
        multi-tensor operations; weights of proximal rules are shrunk after the update. The same
        rules as in the loss: `penalty()` no longer contains weights, `penalties()` still reports
        them. A weight without a gradient gets the penalty's alone, as it would from the loss; a
        step in which the optimizer has no gradient at all changes nothing.

        The optimizers keep this regularization alive, until `detach`.

        Args:
            optimizers: those that hold the penalised weights, usually one. With closures, under
                `torch.amp.GradScaler` and with `foreach` and `fused` updates as without. Of a
                launcher's wrapper, or an optimizer around another, the one within is meant.

        Raises:
            ConfigurationError: something else than an optimizer, or one without a learning rate
                for a proximal rule.
            SelectionError: no kernel or bias is ruled, or an optimizer does not hold one that is.
            RegimeError: a second call; a weight that is computed from others, unless it is pruned;
                an optimizer that would get it wrong (LBFGS; for proximal rules all but SGD, Adam
                and AdamW); another Regularization of it that has some of the same rules. One that
                has all of them is replaced, with a warning.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.Linear(2, 1)
            >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
            >>> rz.Regularization(layer, [rz.kernel(rz.L2Squared(0.5))]).attach(optimizer)
            >>> before = layer.weight.detach().clone()
            >>> (0 * layer(torch.ones(1, 2))).sum().backward()
            >>> optimizer.step()
            >>> torch.allclose(layer.weight, 0.9 * before)
            True
        """
        self._check_usable()
        if self._applied is not None:
            raise RegimeError(
                "attach: this Regularization is attached already; with several optimizers attach "
                "them in one call, attach(first, second), and detach() it before another"
            )
        owner = AttachedRegularization(self._sites, self.detach)
        self._applied, handles = attach_to(
            optimizers, self._model, owner, self._strengths, self._control, self._check_usable
        )
        self._handles += handles
        self._delivery.weights.leave()

    def step(self) -> None:
        """Go on to the next step of every strength that is a schedule or has a target.

        Call it after each `optimizer.step()`; an optimizer that this is attached to does.

        Raises:
            StrengthError: a schedule gives a strength that is negative, NaN or infinite; nothing
                has changed then.
            RegimeError: an optimizer does it already; or several processes have no
                `process_group`, so that each would find a strength of its own.
            ConfigurationError: no strength changes.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.Linear(3, 2)
            >>> rising = rz.LinearWarmup(1e-3, steps=10)
            >>> reg = rz.Regularization(layer, [rz.kernel(rz.L2Squared(rising))])
            >>> reg.step()
            >>> dict(reg.strengths)
            {'weight/kernel/L2Squared': 0.0001}
        """
        self._check_usable()
        if self._applied is not None and self._control.changes:
            raise RegimeError(
                "step: the optimizer that this Regularization is attached to makes the steps; "
                "leave this call out"
            )
        self._control.begin_by_hand()
        self._control.advance()

    def targets(self) -> dict[str, Reached]:
        """Return, for each strength with a target, what is measured, what is wanted, and λ."""
        self._check_usable()
        return self._control.targets()

    def state_dict(self) -> dict[str, Any]:
        """Return where the strengths stand, as plain numbers, to go on from exactly there.

        The model's own `state_dict` has none of it.
        """
        self._check_usable()
        return self._control.state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the strengths stand where `state_dict` said.

        Raises:
            ConfigurationError: a state of other rules, or no such state; nothing has changed then.
        """
        self._check_usable()
        self._control.restore(state)

    def mask(self, mask: Tensor, where: Wheres) -> AbstractContextManager[None]:
        """Say for the forwards in this context which elements of some activities count.

        The mask does not go through the model, whose signature stays. The backward pass may come
        after the context, except under checkpointing, which runs the forward again: then it raises
        unless the same mask is still there.

        Args:
            mask: a boolean tensor over the leading axes of the output, True where it counts.
            where: which of the penalised modules, as in `activity`.

        Raises:
            SelectionError: a `where` that matches no penalised module.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> rnn = torch.nn.GRU(4, 3, batch_first=True)
            >>> reg = rz.Regularization(rnn, [rz.tar(1.0, where="")])
            >>> mask = torch.tensor([[True, True, False], [True, False, False]])
            >>> with reg.mask(mask, where=""):
            ...     states, _ = rnn(torch.randn(2, 3, 4))
            >>> change = states[0, 1] - states[0, 0]  # the one pair without padding
            >>> torch.isclose(reg.penalty(), change.square().mean()).item()
            True
        """
        self._check_usable()
        return self._delivery.masks.put(dict.fromkeys(self._sites.penalised(where), mask))

    def paused(self) -> AbstractContextManager[None]:
        """Let the forwards in this context not count: nothing of them is recorded or injected.

        For a generator's pass through its critic, a teacher, a Jacobian. A forward that is run
        again by a checkpoint needs its backward pass within the context too.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
            >>> reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")])
            >>> coding = model(torch.randn(8, 4))
            >>> with reg.paused():
            ...     _ = model(torch.randn(5, 4))
            >>> torch.isclose(reg.penalty(), 0.1 * coding.sum() / 8).item()
            True
        """
        self._check_usable()
        return self._delivery.pause.put()

    @property
    def strengths(self) -> Strengths:
        """The strength of each penalty at each site by its key: `reg.strengths[key] = 2e-3`."""
        self._check_usable()
        return self._strengths

    def penalties(self) -> dict[str, float]:
        """Return what each site contributed to the last collection that read it, for the log.

        An output that was never read has 0; before the first collection there is nothing. Weights
        are read as they are now, by every process together if they are sharded and attached.

        Raises:
            RegimeError: a weight that is attached to an optimizer was changed, and no step of that
                optimizer was seen.
        """
        self._check_usable()
        if self._applied is not None:
            self._applied.check_steps(within_step=False)
        values = self._values()
        if values is None:
            return {}
        return {key: values[key].item() if key in values else 0.0 for key in self._strengths}

    def as_dict(self) -> dict[str, float]:
        """Return all numbers for any logger: penalties, strengths, and how far targets are reached.

        The penalties have the keys of `penalties()`: none before the first collection. To each of
        these keys `/strength` is added, and for a strength with a target `/measured` and `/wanted`.

        Raises:
            RegimeError: as `penalties()`.

        Example:
            >>> import regularizers as rz
            >>> from torch import nn
            >>> layer = nn.ReLU()
            >>> with rz.Regularization(layer, [rz.activity(rz.L1(0.5), where="")]) as reg:
            ...     _ = layer(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
            ...     _ = reg.penalty()
            ...     reg.as_dict()
            {'model/activity/L1': 1.5, 'model/activity/L1/strength': 0.5}
        """
        numbers = self.penalties()
        numbers |= {f"{key}/strength": strength for key, strength in self._strengths.items()}
        for key, reached in self._control.targets().items():
            numbers |= {f"{key}/measured": reached.measured, f"{key}/wanted": reached.wanted}
        return numbers

    @torch.no_grad()
    def _values(self) -> dict[str, Tensor] | None:
        """Return the penalties as far as they are known; None before the first collection."""
        last = self._delivery.last
        if self._applied is not None and self._sites.weights:
            return (last or {}) | self._applied.values()
        return None if last is None else last | self._delivery.weights.values(self._strengths)

    def report(self) -> Report:
        """Return a table of the sites with their penalties and last values; `print` it."""
        self._check_usable()
        values = self.penalties()
        zeros = {} if self._applied is None else self._applied.zeros()
        notes = [f"{key}: {reached}" for key, reached in self._control.targets().items()]
        notes += self._sites.notes
        return Report.of(self._sites.entries, self._strengths, values, zeros, notes)

    def detach(self) -> None:
        """Take the hooks away: the model is as it was before. A second call does nothing."""
        if self._unusable is None:
            self._detach()
            self._unusable = "was detached from its model"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        if self._unusable is not None:
            return f"<Regularization that {self._unusable}>"
        kinds = [entry.kind for entry in self._sites.entries]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return f"Regularization({printable('', self._model)}: {counts})"

    def __getstate__(self) -> dict[str, object]:
        # taps belong to one regularization: the copy knows no more than that it is one
        return {"_unusable": "is a copy, whose hooks stayed with the original"}

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise CollectionError(
                f"this Regularization {self._unusable}; attach a new one: "
                f"Regularization(model, rules)"
            )
        if self._sites.inventory.has_changed():
            self._follow()

    def _follow(self) -> None:
        """Let modules and weights that were added to the model join, where the rules mean them."""
        self._sites.check_not_replaced()
        activities = self._sites.follow()
        check_suited(activities)
        self._strengths.add(self._sites.entries, self._control.steps)
        self._control.add(activities)
        self._handles += self._delivery.add(activities, self._control.gauges)
        if self._applied is not None:
            self._applied.follow()


def _remove(handles: list[RemovableHandle], delivery: Delivery) -> None:
    for handle in handles:
        handle.remove()
    delivery.close()
