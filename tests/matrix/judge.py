"""Judges a cell of the matrix by measurement."""

import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from matrix.methods import Method
from matrix.penalties import Case
from regularizers.penalties.kernels import thresholds

Readings = dict[str, Tensor]
"""Gradients by the name of the parameter, and "loss"."""


OF_DYNAMO = (
    r"<class 'torch.autograd.function.Function'> should not be instantiated",
    r"`torch\.jit\.script_method` is deprecated",
    r"The \.grad attribute of a Tensor that is not a leaf Tensor is being accessed",
)
"""Warnings that the compiler gives of itself, whatever it compiles."""


UNSUITED = ".*: (KLSparsity compares mean activations with a probability|.* is of logits, and)"
"""A warning about a module, at which the matrix measures every penalty all the same."""


class Step(NamedTuple):
    """One training step: what came, and what plain autograd in float64 says."""

    actual: Readings
    expected: Readings


class Fault(Exception):  # noqa: N818 -- a finding, not an error
    """The gradients are right, but something else is not: `kind` says what, in the plural."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Must(NamedTuple):
    """The allowed results of a cell: exact, an error with all of `words`, or either of them."""

    be_exact: bool = True
    words: tuple[str, ...] = ()


def exact(method: Method, case: Case) -> Must:
    return Must()


def says(*words: str) -> Must:
    return Must(be_exact=False, words=words)


def exact_or_says(*words: str) -> Must:
    return Must(words=words)


def everyone(method: Method) -> bool:
    return True


def everything(case: Case) -> bool:
    return True


@dataclass(frozen=True)
class Regime:
    """A way to train."""

    name: str
    steps: Callable[[Method, Case], Iterator[Step]]
    must: Callable[[Method, Case], Must] = exact
    tolerance: float = 1e-9
    copies: bool = False
    """Whether an operation in place follows a site, so that `copy=True` matters."""
    compiles: bool = False
    slow: bool = False
    briefly: bool = False
    """Whether a trimmed run measures it for one penalty."""
    in_step: bool = False
    """Whether the penalty enters within the step of an optimizer."""
    applies: Callable[[Method], bool] = everyone
    takes: Callable[[Case], bool] = everything


class Outcome(NamedTuple):
    """A cell: `exact`, `raises`, `wrong`, `wrong loss`, or the kind of a fault."""

    kind: str
    detail: str = ""
    error: Exception | None = None


def judge(regime: Regime, method: Method, case: Case, *, small: bool = False) -> Outcome:
    """Run one cell, on one thread and with warnings as errors.

    The networks are small, and their outputs are read as large ones are, unless they are `small`.
    """
    before, thresholds.COPIED = thresholds.COPIED, thresholds.COPIED if small else 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    log = logging.getLogger("torch._dynamo")
    level = log.level
    if regime.compiles:
        torch._dynamo.reset()
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for message in [UNSUITED, *(OF_DYNAMO if regime.compiles else ())]:
                warnings.filterwarnings("ignore", message)
            return _compared(regime, method, case)
    except Fault as fault:
        return Outcome(fault.kind, str(fault))
    except Exception as error:
        return Outcome("raises", f"{type(error).__name__}: {error}", error.with_traceback(None))
    finally:
        thresholds.COPIED = before
        torch.set_num_threads(threads)
        log.setLevel(level)


def _compared(regime: Regime, method: Method, case: Case) -> Outcome:
    verdict = Outcome("exact")
    for number, (actual, expected) in enumerate(regime.steps(method, case), start=1):
        if actual.keys() != expected.keys():
            raise KeyError(f"step {number}: {sorted(actual)} against {sorted(expected)}")
        errors = {name: _relative_error(actual[name], expected[name]) for name in expected}
        wrong = {name: e for name, e in errors.items() if not e <= regime.tolerance}
        for name in sorted(wrong, key=lambda name: (name == "loss", -wrong[name])):
            detail = f"step {number}, {name}: relative error {wrong[name]:.2g}"
            if name != "loss":
                return Outcome("wrong", detail)
            verdict = Outcome("wrong loss", detail)
    return verdict


def _relative_error(actual: Tensor, expected: Tensor) -> float:
    expected = expected.detach().double()
    error = (actual.detach().double() - expected).norm()
    size = expected.norm()
    return (error / size if size > 0 else error).item() if error != 0 else 0.0


def gradients(model: nn.Module) -> Readings:
    """Return what is in `.grad` of every parameter, and empty it."""
    found = {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }
    model.zero_grad()
    return found


def backward(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    """Return the gradients of `loss`, and its value where the penalty is in it."""
    loss.backward()
    return gradients(model) | method.value_of(loss)
