"""Regularizations of one optimizer that have the same rules, which would count twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch.optim import Optimizer

from regularizers.attach.step._optimizer_hooks import Owner, owners
from regularizers.errors import RegimeError


def replaced_by(places: Mapping[object, str], optimizers: Iterable[Optimizer]) -> list[Owner]:
    """Return the regularizations of some optimizers that have exactly the rules at `places`.

    A notebook's cell that is run twice makes two, and the first would go on.

    Args:
        places: of each penalty what it is and where, with its key.
        optimizers: to which a regularization with these is to be attached.

    Raises:
        RegimeError: another one has some of the rules.
    """
    same = []
    found = [owner for optimizer in optimizers for owner in owners(optimizer)]
    for other in {id(owner.sites): owner for owner in found}.values():
        theirs = other.sites.places
        if places.keys() == theirs.keys():
            same.append(other)
            continue
        both = [key for place, key in places.items() if place in theirs]
        if both:
            raise RegimeError(
                f"attach: {both[0]}: another Regularization that is attached to this optimizer has "
                f"the same rule, so that it would count twice; give one Regularization all rules, "
                f"or detach() the other"
            )
    return same
