"""Ways to add a penalty to a training loop: ours, and hooks written by hand."""

from __future__ import annotations

import abc
import contextlib
from dataclasses import dataclass
from fnmatch import fnmatch

import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import records
from matrix.network import SITES, kernels
from matrix.penalties import Case
from regularizers.errors import CollectionError


class Attached(abc.ABC):
    """A penalty on one model."""

    def begin(self) -> None:  # noqa: B027 -- most have nothing to do
        """Do what one does before the forward of a step."""

    @abc.abstractmethod
    def loss(self, task: Tensor) -> Tensor:
        """Return the loss to call `backward` of."""

    def backward_stage(self, output: Tensor, slope: Tensor, scale: float) -> None:
        """Go back through one stage of a pipeline, whose loss weighs `scale`."""
        penalty = self.loss(torch.zeros((), dtype=output.dtype))
        torch.autograd.backward([output, scale * penalty], [slope, None])

    def step_with(self, optimizer: torch.optim.Optimizer) -> None:  # noqa: B027 -- as above
        """Let the penalty enter within the steps of `optimizer`, where it can."""

    @abc.abstractmethod
    def rescale(self, factor: float) -> None:
        """Make every strength `factor` times what it was at first."""

    @abc.abstractmethod
    def records(self) -> int:
        """Return how many records are held."""

    @abc.abstractmethod
    def give_up(self) -> None:
        """Collect after far too many forwards."""

    @abc.abstractmethod
    def detach(self) -> None:
        """Take the penalty away."""


class Method(abc.ABC):
    """How a penalty is added."""

    name: str
    ours: bool
    injects = False
    copies = False
    in_step = False

    @abc.abstractmethod
    def attach(self, model: nn.Module, case: Case, kind: str = "activity") -> Attached:
        """Add the penalty of every site, or of every kernel, of `model`."""

    def value_of(self, loss: Tensor) -> dict[str, Tensor]:
        """Return the value of a loss to compare, if the penalty is in it."""
        return {} if self.injects else {"loss": loss.detach()}


@dataclass(frozen=True)
class Ours(Method):
    """`Regularization`, collected, injected, or attached to an optimizer."""

    delivery: str = "collect"
    copies: bool = False
    in_step: bool = False
    ours = True

    @property
    def name(self) -> str:
        if self.in_step:
            return "attach(optimizer)"
        return f"{self.delivery}, copy=True" if self.copies else self.delivery

    @property
    def injects(self) -> bool:
        return self.delivery == "inject"

    def attach(self, model: nn.Module, case: Case, kind: str = "activity") -> Attached:
        if kind == "proximal":
            rule = rz.kernel(case.penalty, proximal=True)
        elif kind == "kernel":
            rule = rz.kernel(case.penalty)
        elif self.copies:
            rule = rz.activity(case.penalty, where=SITES, copy=True)
        else:
            rule = rz.activity(case.penalty, where=SITES)
        return OurPenalty(rz.Regularization(model, [rule], delivery=self.delivery), self)


class OurPenalty(Attached):
    def __init__(self, reg: rz.Regularization, method: Ours) -> None:
        self.reg, self._method = reg, method
        self._strengths = {key: float(value) for key, value in reg.strengths.items()}

    def loss(self, task: Tensor) -> Tensor:
        return self.reg.scale_from(task) if self._method.injects else task + self.reg.penalty()

    def backward_stage(self, output: Tensor, slope: Tensor, scale: float) -> None:
        if not self._method.injects:
            return super().backward_stage(output, slope, scale)
        self.reg.set_scale(scale)
        return output.backward(slope)

    def step_with(self, optimizer: torch.optim.Optimizer) -> None:
        self.reg.attach(optimizer)

    def rescale(self, factor: float) -> None:
        for key, strength in self._strengths.items():
            self.reg.strengths[key] = factor * strength

    def records(self) -> int:
        return 0 if self._method.injects else records(self.reg)

    def give_up(self) -> None:
        if not self._method.injects:
            with contextlib.suppress(CollectionError):
                self.reg.penalty()

    def detach(self) -> None:
        self.reg.detach()


@dataclass(frozen=True)
class ByHand(Method):
    """A hook that appends the formula of the output to a list.

    Args:
        clears_first: whether the list is cleared before the forward, rather than once it is summed.
    """

    clears_first: bool
    ours = False

    @property
    def name(self) -> str:
        return f"hook, cleared {'before the forward' if self.clears_first else 'when summed'}"

    def attach(self, model: nn.Module, case: Case, kind: str = "activity") -> Attached:
        if kind == "kernel":
            return HandWrittenSum(model, case)
        return HandWrittenHook(model, case, self.clears_first)


class HandWrittenHook(Attached):
    def __init__(self, model: nn.Module, case: Case, clears_first: bool) -> None:
        self._factor = 1.0
        self._list: list[Tensor] = []
        self._clears_first = clears_first

        def append(module: nn.Module, inputs: object, output: Tensor) -> None:
            self._list.append(self._factor * case.formula(output))

        self._handles = [
            module.register_forward_hook(append)
            for name, module in model.named_modules()
            if fnmatch(name, SITES)
        ]

    def begin(self) -> None:
        if self._clears_first:
            self._list.clear()

    def loss(self, task: Tensor) -> Tensor:
        total = task + sum(self._list)
        if not self._clears_first:
            self._list.clear()
        return total

    def rescale(self, factor: float) -> None:
        self._factor = factor

    def records(self) -> int:
        return len(self._list)

    def give_up(self) -> None:
        self._list.clear()

    def detach(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._list.clear()


class HandWrittenSum(Attached):
    """The formula of every kernel, added to the loss."""

    def __init__(self, model: nn.Module, case: Case) -> None:
        self._model, self._case, self._factor = model, case, 1.0

    def loss(self, task: Tensor) -> Tensor:
        return task + self._factor * sum([self._case.formula(w) for w in kernels(self._model)])

    def rescale(self, factor: float) -> None:
        self._factor = factor

    def records(self) -> int:
        return 0

    def give_up(self) -> None:
        """Hold nothing, as always."""

    def detach(self) -> None:
        self._factor = 0.0


COLLECT, COPY, INJECT = Ours(), Ours(copies=True), Ours("inject")
APPLY = Ours(in_step=True)
OURS = [COLLECT, COPY, INJECT, APPLY]
HOOKS = [ByHand(clears_first=True), ByHand(clears_first=False)]
