"""What is to be done in the steps of one optimizer, for as long as its weights stay the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from regularizers.attach.sites import Entry, Strengths, WeightSite
from regularizers.attach.step._add import Additions
from regularizers.attach.step._proximal import Shrinking
from regularizers.attach.step._proximal_foreach import put_together
from regularizers.attach.step._pruned import PrunedAddition, pruned_addition


class Plan:
    """The penalties of the weights of one optimizer.

    Args:
        held: the sites of trainable weights that it holds, each with its weight and its group.
        strengths: of each penalty. When one changes the plan holds, and only factors are new.
    """

    def __init__(
        self, held: Iterable[tuple[WeightSite, Tensor, dict[str, Any]]], strengths: Strengths
    ) -> None:
        added: list[tuple[Entry, int, Tensor]] = []
        shrunk: dict[Tensor, Shrinking] = {}
        self._pruned: list[PrunedAddition] = []
        for site, weight, group in held:
            mask = site.parameter.mask
            # maximising, an optimizer turns the gradient round, but not the penalty
            sign = -1 if group.get("maximize") else 1
            for entry in site.entries:
                if entry.proximal:
                    name = site.parameter.full_name
                    first = Shrinking(name, weight, group, strengths, [], mask)
                    shrinking = shrunk.setdefault(weight, first)
                    shrinking.terms.append((entry.term, entry.key))
                    shrinking.view = entry.view or shrinking.view
                elif mask is not None:
                    self._pruned.append(pruned_addition(entry, sign, weight, mask))
                else:
                    added.append((entry, sign, weight))
        self._strengths = strengths
        self._charged_at: int | None = None
        self._additions = Additions(added)
        self._shrinkings = put_together(shrunk.values())

    def add(self, scale: Tensor | None) -> None:
        """Add the gradients of penalties; `scale` is by what those of the loss are scaled."""
        if self._charged_at != self._strengths.version:
            self._additions.charge(self._strengths)
            self._charged_at = self._strengths.version
        self._additions.add(scale)
        for addition in self._pruned:
            addition.add(self._strengths, scale)

    def shrink(self, optimizer: Optimizer) -> None:
        """Shrink the weights of proximal penalties by the optimizer's step."""
        for shrinking in self._shrinkings:
            shrinking.shrink(optimizer)
