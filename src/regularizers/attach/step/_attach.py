"""Attaching a regularization to the optimizers that hold its weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

from torch import nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from regularizers.attach.control import Control
from regularizers.attach.sites import Strengths
from regularizers.attach.step._apply import Apply
from regularizers.attach.step._carried_state import CarriedState
from regularizers.attach.step._optimizer_hooks import AttachedRegularization, StepHooks
from regularizers.attach.step._ownership import Ownership
from regularizers.attach.step._refused_optimizers import check_projectable
from regularizers.attach.step._replaced import replaced_by
from regularizers.errors import ConfigurationError, SelectionError


def attach_to(
    optimizers: Sequence[Optimizer],
    model: nn.Module,
    owner: AttachedRegularization,
    strengths: Strengths,
    control: Control,
    check: Callable[[], None],
    *,
    by_hand: bool,
) -> tuple[Apply, list[RemovableHandle]]:
    """Let the steps of `optimizers` apply the rules of weights, and advance strengths.

    Constrained weights are projected once at the end.

    Args:
        optimizers: as the user gave them.
        model: the model.
        owner: the regularization and its sites.
        strengths: of each penalty.
        control: advances those that change, once in each step of the first optimizer.
        check: raises when the regularization cannot be used any more.
        by_hand: whether the user advances the strengths, since they need the loss.

    Returns:
        What applies the penalties, and the handles of all hooks.

    Raises:
        ConfigurationError, RegimeError, SelectionError: as `Regularization.attach`; nothing has
            changed then.
    """
    if not (owner.sites.in_step or control.changes):
        raise SelectionError(
            "attach: no rule is for kernels or biases and no strength changes, so there is "
            "nothing to do in a step"
        )
    if not optimizers:
        raise ConfigurationError("attach: expected one optimizer or more, got none")
    ownership = Ownership(optimizers)
    ownership.check(model, owner.sites.in_step)
    if owner.sites.constrained:
        check_projectable(ownership.optimizers)
    replaced = replaced_by(owner.sites.places, ownership.optimizers)
    applied = Apply(owner, strengths, ownership, check, control)
    if owner.sites.constrained:
        applied.check_constraints()
    for other in replaced:
        other.detach()
        warnings.warn(
            "attach: this Regularization replaces one with the same rules, which was attached "
            "to this optimizer and is detached now; their strengths would have added up",
            stacklevel=3,
        )
    handles = applied.attach() if owner.sites.in_step else []
    if control.changes:
        handles += _advance_with(
            ownership.optimizers[0], optimizers, control, owner, by_hand=by_hand
        )
    if owner.sites.constrained:
        applied.begin()
    return applied, handles


def _advance_with(
    first: Optimizer,
    optimizers: Sequence[Optimizer],
    control: Control,
    owner: AttachedRegularization,
    *,
    by_hand: bool,
) -> Iterator[RemovableHandle]:
    """Let the steps of `first` advance the strengths, and the states of all carry them."""
    if not by_hand:
        yield from StepHooks(first, None, lambda _: control.advance(), owner).attach()
    carried_state = CarriedState(control)
    for optimizer in dict.fromkeys([*optimizers, first]):
        # a launcher's wrapper without these hooks passes on the state of the optimizer inside
        if hasattr(optimizer, "_optimizer_state_dict_post_hooks"):
            yield from carried_state.attach(optimizer)
