"""The rules applied to one model: hooks in, numbers out."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, Self

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach._delivery import Attachment, Delivery
from regularizers.attach._last_values import LastValues
from regularizers.attach._report import Report
from regularizers.attach.collect import Collect
from regularizers.attach.control import Control, Reached
from regularizers.attach.inject import Injection
from regularizers.attach.rules import AnyRule
from regularizers.attach.sites import FollowHook, Roles, Sites, Strengths, all_rules, check_suited
from regularizers.attach.step import Apply, AttachedRegularization, attach_to
from regularizers.errors import CollectionError, ConfigurationError, RegimeError
from regularizers.modules import (
    Processes,
    ProcessGroup,
    Wheres,
    check_model,
    printable,
    remove_inert_hooks,
)

_DELIVERIES: Mapping[str, Callable[[Attachment], Delivery]] = {
    "collect": Collect,
    "inject": Injection,
}


class Regularization:
    """The rules of one model, read by hooks and delivered as an ordinary term of the loss.

    Args:
        model: any module. It is not edited: its outputs, its `state_dict` and its copies stay the
            same. `detach` removes the hooks, and so does the deletion of this object.
        rules: penalties and their sites; made by `activity`, `kernel` and `bias`. They add up. And
            constraints of weights, made by `constraint`, which `attach` keeps. The marks of
            `regularize` and `layers.ActivityPenalty` in the model are added to them.
        roles: the roles of the parameters of your own modules: a mapping from a `where` to
            `"kernel"`, `"bias"`, `"embedding"`, `"norm"` or `"other"`, or to a mapping from the
            parameter's name to one of these. Without it roles are assumed; `report()` lists them.
        delivery: `"collect"`: `penalty()` is a term of the loss. `"inject"`: the gradient enters by
            the data path, and `scale_from(loss)` gives its scale; for reentrant checkpoints,
            stages of a pipeline, and trainers that own the loss.
        process_group: the processes that share one batch: `"world"` for all of them, looked up at
            the first collection, or a `torch.distributed.ProcessGroup`. The penalty of activities
            is then that of the joined batch, however unequal its parts; with `"inject"`, for sums,
            and for means of equal parts. `"local"`: each process penalises its own part. None: the
            same, but it raises if that differs from the penalty of the whole batch.
        max_uncollected: how many forwards may be recorded before a collection; for modules called
            outside of the model's own forward, how many calls of each.

    Raises:
        SelectionError: a rule matches nothing, or there is no rule.
        ConfigurationError: the model is no module, or a rule is no rule.
        RegimeError: the model is in `nn.DataParallel`.

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
        rules: Iterable[AnyRule] = (),
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
        self._last_values = LastValues(self._delivery, self._strengths, self._sites)
        self._control.targets.values = self._last_values
        self._unusable: str | None = None
        remove_inert_hooks(model)
        follow_hook = FollowHook(self._sites.inventory, self._follow)
        self._handles = self._delivery.attach(self._control.targets.gauges("output"), follow_hook)
        self._handles += self._control.attach()
        self._handles += self._sites.initial.attach()
        self._detach = weakref.finalize(self, _remove, self._handles, self._delivery)
        self._detach.atexit = False

    def penalty(self) -> Tensor:
        """Return the sum of all penalties, a scalar to add to the loss.

        It has the activities of all forwards since the last call, and the weights as they are now.
        In validation call it within `torch.no_grad()`: activities are 0 there, and weights count,
        unless `attach` has moved them into the optimizer's step. With gradients enabled it raises
        after a forward in evaluation mode or under `torch.no_grad`, if a rule penalises activities.

        Raises:
            CollectionError: a site has never fired with gradients; there was no forward since the
                last call that was in training mode with gradients, or it has not ended; forwards
                were dropped; a module was replaced; or this regularization is detached or a copy.
            ConfigurationError: a weight is constrained, and no optimizer is attached.
            RegimeError: the delivery is `"inject"`.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> reg = rz.Regularization(layer, [rz.activity(rz.L1(0.5), where="")])
            >>> _ = layer(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
            >>> reg.penalty().item()  # half of the mean over two samples of 4 and 2
            1.5
        """
        self._check_usable()
        if self._sites.constrained:
            self._check_attached()
        self._sites.initial.use()
        if self._applied is not None:
            self._applied.check_steps(within_step=True)
        self._control.used()
        return self._delivery.penalty()

    def scale_from(self, loss: Tensor) -> Tensor:
        """Return `loss` unchanged; its backward pass sets the scale of the penalties.

        For `delivery="inject"`: the gradient of each penalty enters by the data path, multiplied
        by the gradient that reaches the loss, so that a loss scale, an accumulation over
        micro-batches or an average over processes scales it too. Divide the result:
        `scale_from(task) / n` for n micro-batches. After `scale_from(task / n)` the penalty is n
        times too strong, since a factor before the call is not seen.

        Args:
            loss: the loss of `backward()`, or the loss that a trainer owns; a scalar.

        Raises:
            ConfigurationError: a weight is constrained, and no optimizer is attached.
            RegimeError: the delivery is `"collect"`.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.Linear(2, 1)
            >>> reg = rz.Regularization(layer, [rz.kernel(rz.L2Squared(0.5))], delivery="inject")
            >>> reg.scale_from(layer(torch.zeros(4, 2)).sum()).backward()
            >>> torch.equal(layer.weight.grad, layer.weight)  # the gradient of the penalty alone
            True
        """
        self._check_usable()
        if self._sites.constrained:
            self._check_attached()
        self._sites.initial.use()
        if self._applied is not None:
            self._applied.check_steps(within_step=True)
        self._control.used()
        scaled = self._delivery.scale_from(loss)
        if self._control.targets.of_loss:
            self._control.targets.give_loss(loss, "scale_from")
        return scaled

    def set_scale(self, scale: float | None) -> None:
        """Set the scale where no loss is at hand, as in a stage of a pipeline.

        For `delivery="inject"`. It holds until it is set again; the scale of a loss that went
        through `scale_from` takes precedence. After None there is none: a backward pass raises.
        It is for activities. Weights are penalised by `scale_from`, or by `attach`.

        Args:
            scale: the factor of each penalty's gradient, such as 1/N for N micro-batches; finite
                and not negative. None: no scale.

        Raises:
            RegimeError: the delivery is `"collect"`; or a rule penalises weights and no optimizer
                is attached, so it would add nothing.
            StrengthError: the scale is negative, NaN or infinite.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> reg = rz.Regularization(layer, [rz.activity(rz.L1(1.0), where="")],
            ...                         delivery="inject")
            >>> reg.set_scale(0.5)
            >>> x = torch.tensor([[1.0, -1.0], [2.0, 3.0]], requires_grad=True)
            >>> (0 * layer(x)).sum().backward()
            >>> x.grad  # half of the gradient of the mean over two samples
            tensor([[0.2500, 0.0000],
                    [0.2500, 0.2500]])
        """
        self._check_usable()
        self._delivery.set_scale(scale)

    def check_fired(self) -> None:
        """Raise unless every selected output has been reached in training mode.

        `penalty()` and the backward pass of `scale_from` look for that themselves. After
        `set_scale` nothing does: call this once, after the first backward pass.

        Raises:
            CollectionError: an output has never fired with gradients, and its rule is not
                `optional=True`.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
            >>> reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")],
            ...                         delivery="inject")
            >>> reg.set_scale(1.0)
            >>> model[0](torch.randn(8, 4)).sum().backward()
            >>> reg.check_fired()
            Traceback (most recent call last):
            regularizers.errors.CollectionError: 1: the site has never fired with gradients; ...
        """
        self._check_usable()
        self._delivery.check_fired()

    def attach(self, *optimizers: Optimizer) -> None:
        """Let the optimizer's steps apply penalties of weights and advance strengths that change.

        Schedules and targets of any rule, of activities too, advance by one step in each
        `optimizer.step()`. Weight penalties enter within it, as its own weight decay does. Their
        gradients are added to `.grad` after unscaling and clipping, once a step, by
        multi-tensor operations; weights of proximal rules are shrunk after the update. The rules
        stay the same: `penalty()` no longer contains weights, `penalties()` still reports them. A
        weight without a gradient gets that of its penalty, as it would from the loss. A step in
        which the optimizer has no gradient at all adds nothing.

        Constrained weights are projected here once, so that training begins within the
        constraints, and after every step of the optimizer that holds them, proximal steps included.

        The optimizers keep this regularization alive, until `detach`.

        Args:
            optimizers: those that hold the penalised and constrained weights, usually one. Of
                several, strengths that change advance in the steps of the first.
                Closures, `torch.amp.GradScaler`, `foreach` and `fused` updates work. For a
                launcher's wrapper, or an optimizer around another, the inner optimizer is used.

        Raises:
            ConfigurationError: an argument is no optimizer, or has no learning rate for a proximal
                rule.
            SelectionError: all rules are for activities and have plain numbers as strengths, so a
                step has nothing to do; or an optimizer holds no kernel or bias of the rules.
            RegimeError: `attach` was called before; a weight is computed from others, unless it is
                pruned; a constraint moves what is pruned; the optimizer would be inexact
                (LBFGS, SparseAdam, one that exchanges weights around another's step; for proximal
                rules all but SGD, Adam and AdamW; for constraints those that are schedule-free); or
                another Regularization on it has some of the same rules. One that has all of them is
                replaced, with a warning. A later step raises if it reads the value of the loss, or
                differentiates its gradients.

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
        self._last_values.applied, handles = attach_to(
            optimizers,
            self._model,
            owner,
            self._strengths,
            self._control,
            self._check_step,
            by_hand=self._steps_by_hand,
        )
        self._handles += handles
        self._delivery.weights.leave()

    def step(self, *, loss: Tensor | float | None = None) -> None:
        """Advance every strength that is a schedule or has a target by one step.

        Call it after each `optimizer.step()`; after `attach` the optimizer calls it itself, unless
        a strength has a `TargetLoss` and the loss does not go through `scale_from`.

        Args:
            loss: the loss of the task in this step, without penalties, for a `TargetLoss`; of
                several batches their mean.

        Raises:
            StrengthError: a schedule gives a strength that is negative, NaN or infinite; nothing
                has changed then.
            RegimeError: the optimizer calls it already; or several processes have no
                `process_group`, so that each would find a strength of its own.
            ConfigurationError: no strength changes; or a `TargetLoss` was given no loss, or another
                strength one.

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
        if self._applied is not None and self._control.changes and not self._steps_by_hand:
            raise RegimeError(
                "step: the optimizer that this Regularization is attached to makes the steps; "
                "leave this call out"
            )
        self._control.begin_by_hand()
        if loss is not None:
            if not self._control.targets.of_loss:
                raise ConfigurationError(
                    "step: loss= is for a strength with a TargetLoss, and there is none; leave it "
                    "out"
                )
            self._control.targets.give_loss(loss, "step: loss")
        self._control.advance()

    @property
    def acts_in_steps(self) -> bool:
        """Whether `attach` has work to do, for weights, constraints or strengths that change."""
        self._check_usable()
        return bool(self._sites.in_step) or self._control.changes

    @property
    def _steps_by_hand(self) -> bool:
        """Whether the user advances the strengths though an optimizer is attached."""
        return bool(self._control.targets.of_loss) and isinstance(self._delivery, Collect)

    @property
    def _applied(self) -> Apply | None:
        return self._last_values.applied

    def targets(self) -> dict[str, Reached]:
        """Return the measured value, the target and λ for each strength with a target.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> reg = rz.Regularization(layer, [rz.activity(rz.L1(rz.TargetActive(1)), where="")])
            >>> _ = layer(torch.tensor([[1.0, 3.0, 0.0], [2.0, 1.0, 0.0]]))
            >>> _ = reg.penalty()
            >>> reg.step()
            >>> reached = reg.targets()["model/activity/L1"]
            >>> reached.measured, reached.wanted, reached.unit
            (2.0, 1.0, 'units active')
        """
        self._check_usable()
        return self._control.reached()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all strengths, as plain numbers; training resumes exactly from it.

        The model's own `state_dict` does not contain it. Weights that rules with
        `towards="initial"` are measured from are in it, as tensors by name.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.Linear(3, 2)
            >>> rules = [rz.kernel(rz.L2Squared(rz.LinearWarmup(1e-3, steps=10)))]
            >>> reg = rz.Regularization(layer, rules)
            >>> reg.step()
            >>> saved = reg.state_dict()
            >>> reg.detach()
            >>> resumed = rz.Regularization(layer, rules)
            >>> resumed.load_state_dict(saved)
            >>> dict(resumed.strengths)
            {'weight/kernel/L2Squared': 0.0001}
        """
        self._check_usable()
        return self._control.state() | self._sites.initial.state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the strengths and initial weights from a state that `state_dict` returned.

        Args:
            state: what `state_dict` returned for a Regularization with the same rules.

        Raises:
            ConfigurationError: the state belongs to other rules, lacks the initial weight of a
                rule with `towards="initial"`, or is no state; nothing has changed.
        """
        self._check_usable()
        initial = self._sites.initial.checked(state)
        self._control.restore(state)
        self._sites.initial.restore(initial)

    def mask(self, mask: Tensor, where: Wheres) -> AbstractContextManager[None]:
        """Set which elements of some activities count, for the forwards in this context.

        The mask does not go through the model, whose signature stays the same. The backward pass
        may come after the context, except under checkpointing: a checkpoint runs the forward again,
        and raises unless the same mask is still set.

        Args:
            mask: a boolean tensor over the leading axes of the output, True where it counts.
            where: which of the penalised modules, as in `activity`.

        Raises:
            SelectionError: `where` matches no penalised module.

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
        """Ignore the forwards in this context: they are neither recorded nor injected into.

        For a generator's pass through its critic, a teacher, a Jacobian. If a checkpoint runs the
        forward again, its backward pass must be within the context too.

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
        """Strengths by key, of each penalty at each site; `reg.strengths[key] = 2e-3` sets one.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> reg = rz.Regularization(torch.nn.Linear(3, 2), [rz.kernel(rz.L1(1e-3))])
            >>> reg.strengths["weight/kernel/L1"] = 2e-3
            >>> dict(reg.strengths)
            {'weight/kernel/L1': 0.002}
        """
        self._check_usable()
        return self._strengths

    def penalties(self) -> dict[str, float]:
        """Return the last value of each penalty, for the log; empty before the first collection.

        The value is from the last collection that read the site; an output that was never read has
        0. Weights are read as they are now; every process must call this if they are sharded and
        attached.

        Raises:
            ConfigurationError: a weight is constrained, and no optimizer is attached.
            RegimeError: a weight that is attached to an optimizer was changed without a step of
                that optimizer.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> reg = rz.Regularization(layer, [rz.activity(rz.L1(0.5), where="")])
            >>> _ = layer(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
            >>> _ = reg.penalty()
            >>> reg.penalties()
            {'model/activity/L1': 1.5}
        """
        self._check_usable()
        if self._sites.constrained:
            self._check_attached()
        return self._numbers()

    def _numbers(self) -> dict[str, float]:
        """Return the last value of each penalty; empty before the first collection."""
        if self._applied is not None:
            self._applied.check_steps(within_step=False)
        values = self._last_values()
        if values is None:
            return {}
        return {key: values[key].item() if key in values else 0.0 for key in self._strengths}

    def as_dict(self) -> dict[str, float]:
        """Return all numbers for a logger: penalties, strengths, measured values and targets.

        The penalties have the keys of `penalties()`: none before the first collection. `/strength`
        is appended to every key, and `/measured` and `/wanted` to those with a target. A constraint
        has `/distance`, the Euclidean distance of its weight from its projection.

        Raises:
            ConfigurationError, RegimeError: as `penalties()`.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> with rz.Regularization(layer, [rz.activity(rz.L1(0.5), where="")]) as reg:
            ...     _ = layer(torch.tensor([[1.0, 3.0], [2.0, 0.0]]))
            ...     _ = reg.penalty()
            ...     reg.as_dict()
            {'model/activity/L1': 1.5, 'model/activity/L1/strength': 0.5}
        """
        numbers = self.penalties()
        numbers |= {f"{key}/strength": strength for key, strength in self._strengths.items()}
        for key, reached in self._control.reached().items():
            numbers |= {f"{key}/measured": reached.measured, f"{key}/wanted": reached.wanted}
        if self._applied is not None:
            distances = self._applied.distances()
            numbers |= {f"{key}/distance": distance for key, distance in distances.items()}
        return numbers

    def report(self) -> Report:
        """Return a table of the sites with their penalties and last values; `print` it.

        Constraints follow, whose kind is "constraint". `Report` shows one.
        """
        self._check_usable()
        values = self._numbers()
        zeros = {} if self._applied is None else self._applied.zeros()
        notes = [f"{key}: {reached}" for key, reached in self._control.reached().items()]
        notes += self._sites.notes
        kept = [(p.full_name, repr(one.written)) for p, one in self._sites.constraints]
        return Report.of(self._sites.entries, self._strengths, values, zeros, kept, notes)

    def detach(self) -> None:
        """Remove the hooks; the model is as before. A second call does nothing.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> reg = rz.Regularization(torch.nn.Linear(3, 2), [rz.kernel(rz.L1(1e-3))])
            >>> reg.detach()
            >>> reg
            <Regularization that was detached from its model>
        """
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
        kinds: list[str] = [entry.kind for entry in self._sites.entries]
        kinds += ["constraint" for _ in self._sites.constraints]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return f"Regularization({printable('', self._model)}: {counts})"

    def __getstate__(self) -> dict[str, object]:
        # hooks belong to one regularization, so a copy keeps only the reason it is unusable
        return {"_unusable": "is a copy, whose hooks stayed with the original"}

    def _check_usable(self) -> None:
        if self._unusable is not None:
            raise CollectionError(
                f"this Regularization {self._unusable}; attach a new one: "
                f"Regularization(model, rules)"
            )
        if self._sites.inventory.has_changed():
            self._follow()

    def _check_attached(self) -> None:
        """Raise if nothing keeps the constraints, which only the steps of an optimizer do."""
        if self._applied is None:
            parameter, one = next(self._sites.constraints)
            raise ConfigurationError(
                f"{parameter.full_name}: {one.written!r} is kept after each step of an optimizer, "
                f"and none is attached; call reg.attach(optimizer) before training"
            )

    def _check_step(self) -> None:
        self._check_usable()
        self._sites.initial.use()

    def _follow(self) -> None:
        """Add new modules and weights of the model that the rules select."""
        self._sites.check_not_replaced()
        activities = self._sites.follow()
        check_suited(activities)
        self._strengths.add(self._sites.entries, self._control.steps)
        self._control.add(activities)
        self._handles += self._delivery.add(activities, self._control.targets.gauges("output"))
        if self._applied is not None:
            self._applied.follow()


def _remove(handles: list[RemovableHandle], delivery: Delivery) -> None:
    for handle in handles:
        handle.remove()
    delivery.close()
