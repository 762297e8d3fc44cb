"""One penalty of one large array: value, value with gradient, into a gradient in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from benchmarks.speed.timing import Contenders
from torch import Tensor

import regularizers as rz
from regularizers.attach._function import penalise

Value = Callable[[Tensor], Tensor]


class Case(NamedTuple):
    """What is timed together, and the contender that is the limit."""

    what: str
    limit: str
    contenders: Contenders


BY_HAND: dict[str, tuple[rz.Penalty, Value]] = {
    "L1": (rz.L1(1.0), lambda x: x.abs().sum()),
    "L2Squared": (rz.L2Squared(1.0), lambda x: x.pow(2).sum()),
}


def cases(exponent: int) -> Iterator[Case]:
    """Yield the cases for float32 arrays of 2 to the power of `exponent` elements."""
    x = torch.randn(2**exponent)
    leaf, grads = x.clone().requires_grad_(), torch.zeros_like(x)
    for name, (penalty, by_hand) in BY_HAND.items():
        (term,) = penalty.terms

        def ours(x: Tensor, term: object = term) -> Tensor:
            return penalise(x, term, 0)  # type: ignore[arg-type]

        yield Case(
            f"{name}, value",
            "x.sum()",
            {
                "x.sum()": x.sum,
                "ours": lambda penalty=penalty: penalty(x),
                "by hand": lambda by_hand=by_hand: by_hand(x),
                "by hand, compiled": _compiled(by_hand, x),
            },
        )
        yield Case(
            f"{name}, value and gradient",
            "16 bytes an element",
            {
                "16 bytes an element": lambda: torch.add(x, grads).sum(),
                "ours": _backward(ours, leaf),
                "by hand": _backward(by_hand, leaf),
                "by hand, compiled": _backward(torch.compile(by_hand), leaf),
                "ours, compiled": _backward(torch.compile(ours), leaf),
            },
        )
        for library in ("PyTorch", "NumPy"):
            a, g = (x, grads) if library == "PyTorch" else (x.numpy(), grads.numpy())
            yield Case(
                f"{name}, into a gradient, {library}",
                "g += x",
                {
                    "g += x": lambda: grads.add_(x),
                    "ours": lambda penalty=penalty, a=a, g=g: penalty.apply(a, g),
                },
            )


def _compiled(function: Value, x: Tensor) -> Callable[[], object]:
    compiled = torch.compile(function)
    return lambda: compiled(x)


def _backward(function: Value, leaf: Tensor) -> Callable[[], object]:
    def step() -> None:
        leaf.grad = None
        function(leaf).backward()

    return step
