"""Finds Regularizations of one optimizer with the same rules, which would count twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch.optim import Optimizer

from regularizers.attach.step._optimizer_hooks import AttachedRegularization, attached_to
from regularizers.errors import RegimeError


def replaced_by(
    places: Mapping[object, str], optimizers: Iterable[Optimizer]
) -> list[AttachedRegularization]:
    """Return the regularizations of some optimizers that have exactly the rules at `places`.

    A notebook cell that is run twice makes two Regularizations, and both would stay active.

    Args:
        places: maps what a penalty is and where it acts to its key.
        optimizers: the optimizers that a regularization with these penalties is attached to.

    Raises:
        RegimeError: another regularization has some of the rules, but not all.
    """
    same = []
    found = [other for optimizer in optimizers for other in attached_to(optimizer)]
    for other in {id(other.sites): other for other in found}.values():
        theirs = other.sites.places
        if places.keys() == theirs.keys():
            same.append(other)
            continue
        both = [key for place, key in places.items() if place in theirs]
        if both:
            raise RegimeError(
                f"attach: {both[0]}: another Regularization, attached to this optimizer, has the "
                f"same rule, which would count twice; give one Regularization all rules, "
                f"or detach() the other"
            )
    return same
