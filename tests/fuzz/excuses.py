"""The errors that a program is expected to raise; any other error is a finding."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.case import Case
from fuzz.models import IN_PLACE
from fuzz.rules import enters_a_step

_COMPUTED = ("parametrized", "weight_norm", "hooked")


def _has_events(case: Case, *kinds: str) -> bool:
    return any(event.kind in kinds for step in case.steps for event in step.events)


def _computes_attached_weights(case: Case) -> bool:
    attached = any(enters_a_step(reg) for reg in case.regs)
    computes = any(part.weight in _COMPUTED for part in case.parts)
    return attached and (computes or _has_events(case, "weight_changed"))


def _changes_in_place(case: Case) -> bool:
    changes = any(part.kind in IN_PLACE or part.around == "add_in_place" for part in case.parts)
    # a checkpoint computes again from what was changed, of which no copy helps
    checkpointed = any(part.checkpoint for part in case.parts)
    read = any(rule.kind == "activity" and not rule.copy for rule in case.rules())
    return changes and (read or checkpointed)


def _collects_under_reentrant_checkpoints(case: Case) -> bool:
    collects = any(reg.delivery == "collect" for reg in case.regs)
    return collects and any(part.checkpoint == "reentrant" for part in case.parts)


def _differentiates_apart_from_the_loss(case: Case) -> bool:
    injects = any(reg.delivery == "inject" for reg in case.regs)
    return injects and any(step.mode == "input_penalty" for step in case.steps)


def _changes_in_place_what_is_computed_again(case: Case) -> bool:
    return _changes_in_place(case) and any(part.checkpoint for part in case.parts)


_EXCUSES: dict[str, Callable[[Case], bool]] = {
    "is computed from other parameters": _computes_attached_weights,
    "the output was changed in place": _changes_in_place,
    "modified by an inplace operation": _changes_in_place_what_is_computed_again,
    "reentrant checkpoint": _collects_under_reentrant_checkpoints,
    "the scale of the loss is not known": _differentiates_apart_from_the_loss,
}
"""By words of the message."""


def is_excused(case: Case, message: str) -> bool:
    """Return whether a case has what the message of an error is about."""
    return any(words in message and applies(case) for words, applies in _EXCUSES.items())
