"""One Regularization of a running case, and what is known of it apart from the library."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fuzz.case import RegSpec, RuleSpec
from fuzz.rules import enters_a_step, pattern, regularization_of
from fuzz.twin import Seen, Twin


def requires_grad(output: Any) -> bool:
    """Return whether a gradient can enter by an output."""
    if isinstance(output, tuple):
        return any(requires_grad(part) for part in output)
    return isinstance(output, Tensor) and output.requires_grad


class Standing:
    """A regularization at work."""

    def __init__(
        self, spec: RegSpec, model: nn.Module, optimizer: Optimizer, shape: tuple[int, ...]
    ) -> None:
        self.spec = spec
        self._shape = shape
        self.steps = 0
        self.scale = 1.0
        self.log: dict[str, Tensor | None] = {}
        """The expected result of penalties(); None if unknown."""
        self.reg = regularization_of(spec, model)
        self._first = dict(self.reg.strengths)
        if enters_a_step(spec):
            self.reg.attach(optimizer)

    def factor(self, rule: RuleSpec) -> float:
        """Return what the strength of a rule is multiplied by now."""
        return min(self.steps / rule.warmup, 1.0) if rule.warmup else self.scale

    def factors(self) -> dict[RuleSpec, float]:
        return {rule: self.factor(rule) for rule in self.spec.rules}

    def multiply(self, factor: float) -> None:
        """Let the strengths be so many times what they were first."""
        for key, strength in list(self.reg.strengths.items()):
            first = self._first.setdefault(key, strength)
            self.reg.strengths[key] = first * factor
        self.scale = factor
        self.log = {}

    def put_masks(self, stack: ExitStack) -> None:
        """Enter the contexts of the masks that go around a forward."""
        for rule in self.spec.rules:
            if rule.mask == "around":
                shape = self._shape
                stack.enter_context(self.reg.mask(pattern(shape, rule.mask_axes), rule.where))

    def joined(self, total: Tensor) -> Tensor:
        """Return the loss with the penalties."""
        if self.spec.delivery == "inject":
            return self.reg.scale_from(total)
        return total + self.reg.penalty()

    def expected(self, twin: Twin, seen: list[Seen]) -> Tensor:
        """Return what the penalties add to the loss, and remember what the log should say."""
        activities = twin.activities(self.spec, seen, self.factors())
        weights = twin.penalties_of_weights(self.spec, self.factors())
        calls = [outputs for one in seen for outputs in one.values()]
        # each call of an injected site has a value of its own, and a frozen one has none
        is_known = self.spec.delivery == "collect" or (
            len(seen) == 1 and all(len(o) == 1 and requires_grad(o[0]) for o in calls)
        )
        self.log = {key: v.detach() if is_known else None for key, v in activities.items()}
        self.log |= {key: v.detach() for key, v in weights.items()}
        in_loss = [] if enters_a_step(self.spec) else list(weights.values())
        return sum([*activities.values(), *in_loss], torch.zeros(()))

    def logged(self) -> defaultdict[str, Tensor]:
        """Return what penalties() says: of activities by their names, of all weights together."""
        found: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), dtype=torch.float64))
        for key, number in self.reg.penalties().items():
            site, kind, penalty = re.sub(r"/\d+$", "", key).rsplit("/", 2)
            is_weight = kind in ("kernel", "bias")
            found[f"{kind}/{penalty}" if is_weight else f"{site}/{kind}/{penalty}"] += number
        return found
