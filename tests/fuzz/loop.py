"""A training loop with the library, and beside it what plain autograd says of each of its steps."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor

from fuzz import events
from fuzz.attempt import Attempt
from fuzz.case import Case, StepSpec
from fuzz.formulas import elements, of_weight, settled, shrunk
from fuzz.models import build
from fuzz.optimizers import Expected, optimizer_of, readings, step_size
from fuzz.rules import changes, enters_a_step
from fuzz.standing import Standing
from fuzz.twin import Seen, Twin
from fuzz.verdict import check


class Loop:
    """The state of one case while it runs.

    Args:
        case: the program.
        bare: leave the library out, on both sides: what then fails is no fault of the library.
    """

    def __init__(self, case: Case, *, bare: bool = False) -> None:
        self.case, self.bare = case, bare
        self.model = self.made()
        self.twin = Twin(case)
        self.optimizer = optimizer_of(case.optimizer, self.model)
        self.kept: list[object] = []
        self.pending: list[Seen] = []
        self.number = 0
        self.saved: events.Saved | None = None
        half = case.autocast or case.dtype == "bfloat16"
        self.precision = "half" if half else case.dtype
        self.standing: list[Standing] = []
        self.begin()

    def made(self) -> torch.nn.Module:
        """Return the model as it is first."""
        model = build(self.case).to(getattr(torch, self.case.dtype))
        if self.case.layout == "channels_last":
            model = model.to(memory_format=torch.channels_last)
        return model

    def begin(self) -> None:
        """Regularize the model."""
        specs = () if self.bare else self.case.regs
        shape = self.case.shape
        self.standing = [Standing(spec, self.model, self.optimizer, shape) for spec in specs]

    def run(self) -> None:
        """Run all steps.

        Raises:
            Mismatch: something is not what plain autograd says.
            Invalid: plain autograd raises.
        """
        for step in self.case.steps:
            for event in step.events:
                events.happen(self, event)
            self._step(step)
            self.number += 1

    def match(self) -> None:
        """Let the twin have the weights of the model, which it has already while forwards wait."""
        if not self.pending:
            self.twin.copy_from(self.model)

    def inputs(self, micro: int = 0) -> Tensor:
        """Return a batch in the precision of the model."""
        generator = torch.Generator().manual_seed(self.case.seed * 1000 + self.number * 10 + micro)
        x = torch.randn(self.case.shape, dtype=torch.float64, generator=generator)
        x = x.to(torch.float32 if self.case.autocast else getattr(torch, self.case.dtype))
        if self.case.layout == "transposed":
            return x.mT.contiguous().mT
        if self.case.layout == "channels_last" and x.ndim == 4:
            return x.contiguous(memory_format=torch.channels_last)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the model."""
        with (
            self.masked(),
            torch.autocast("cpu", torch.bfloat16, enabled=self.case.autocast),
        ):
            return self.model(x)

    def masked(self) -> ExitStack:
        """Return the contexts of the masks that go around a forward."""
        with ExitStack() as stack:
            for standing in self.standing:
                standing.put_masks(stack)
            return stack.pop_all()

    def _step(self, step: StepSpec) -> None:
        self.optimizer.zero_grad(set_to_none=step.set_to_none)
        self.match()
        Attempt(self, step).run()
        self.check_log()
        self._update()

    def check_log(self) -> None:
        """Compare the last penalties, where it is known what they should be."""
        for standing in self.standing:
            expected = {key: v for key, v in standing.log.items() if v is not None}
            found = standing.logged()
            actual = {key: found[key] for key in expected}
            check("penalties()", actual, expected, self.precision)

    def _update(self) -> None:
        """Take the optimizer's step, and compare the weights."""
        additions, shrinking = self._of_weights()
        expected = Expected(self.optimizer, additions)
        for p, penalty, mask in shrinking:
            if p.grad is None:
                continue
            w = expected.parameters[p]
            read = w.detach() if mask is None else w.detach() * mask
            moved = shrunk(penalty, read, step_size(self.optimizer))
            w.data.copy_(moved if mask is None else torch.where(mask == 0, w.detach(), moved))
        if self.case.closure:
            self.optimizer.step(lambda: torch.zeros(()))
        else:
            self.optimizer.step()
        for standing in self.standing:
            if changes(standing.spec):
                if not enters_a_step(standing.spec):
                    standing.reg.step()
                standing.steps += 1
        names = {p: name for name, p in self.model.named_parameters()}
        actual, wanted = readings(self.optimizer, names), expected.readings(names)
        for kind in sorted({key.partition(" ")[0] for key in wanted | actual}, reverse=True):
            some = [
                {key: v for key, v in side.items() if key.startswith(kind)}
                for side in (actual, wanted)
            ]
            check(f"{kind} after the step", *some, self.precision)

    def _of_weights(self):
        """Return what a step adds to gradients, and the weights that it shrinks."""
        additions: dict[Tensor, Tensor] = {}
        shrinking = []
        total = torch.zeros((), dtype=torch.float64)
        mine = {n: p for n, p in self.twin.model.named_parameters() if p.requires_grad}
        own = dict(self.model.named_parameters())
        real = {id(p): own[name] for name, p in mine.items()}
        for standing in self.standing:
            if not enters_a_step(standing.spec):
                continue
            for rule in standing.spec.rules:
                if rule.kind == "activity":
                    continue
                for weight in self.twin.weights(rule):
                    for element in elements(rule.penalty):
                        exact = settled(element, rule, 0)
                        factor = standing.factor(rule)
                        if rule.proximal:
                            penalty = exact.penalty * factor
                            shrinking.append((real[id(weight.sources[0])], penalty, weight.mask))
                        else:
                            total = total + factor * of_weight(exact, weight)
        if total.requires_grad:
            gradients = torch.autograd.grad(total, list(mine.values()), allow_unused=True)
            for p, gradient in zip(mine.values(), gradients, strict=True):
                if gradient is not None:
                    additions[real[id(p)]] = gradient.double()
        return additions, shrinking
