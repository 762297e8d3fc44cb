"""The value of a penalty, and the value with its gradient, of one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from benchmarks.speed.arrays import LARGE, Kind, kinds
from benchmarks.speed.cases import Case
from benchmarks.speed.formulas import Formula, Value, formulas
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Call, Contenders
from torch import Tensor

GROUP = "values"
SUM = "x.sum()"
ADD = "(x + zeros).sum()"
"""16 bytes an element of float32: reads two arrays, writes one, and reads it."""


def cases(settings: Settings) -> Iterator[Case]:
    """Yield the value of each penalty of each array, then the value with its gradient."""
    for formula in formulas():
        for kind in kinds(settings):
            yield value_case(formula, kind, settings)
            yield gradient_case(formula, kind, settings)


def value_name(formula: str, kind: Kind) -> str:
    return f"{formula}, value, {kind}"


def gradient_name(formula: str, kind: Kind) -> str:
    return f"{formula}, value and gradient, {kind}"


def value_case(formula: Formula, kind: Kind, settings: Settings) -> Case:
    """Return the value alone, beside reading the array once."""

    def contenders() -> Contenders:
        x = kind.make(settings.device)
        values = _values(formula, kind, settings, formula.penalty)
        return {SUM: x.sum, **{name: partial(value, x) for name, value in values.items()}}

    what = value_name(formula.name, kind)
    return Case(GROUP, what, SUM, contenders, _figures(kind, 1), longer=_longer(kind))


def gradient_case(formula: Formula, kind: Kind, settings: Settings, *, group: str = GROUP) -> Case:
    """Return the value and then its gradient by autograd, beside adding two arrays."""

    def contenders() -> Contenders:
        x = kind.make(settings.device)
        zeros = torch.zeros_like(x)
        leaf = x.requires_grad_()
        plain = leaf.detach()
        values = _values(formula, kind, settings, formula.penalise)
        return {
            ADD: lambda: torch.add(plain, zeros).sum(),
            **{name: _backward(value, leaf) for name, value in values.items()},
        }

    what = gradient_name(formula.name, kind)
    return Case(group, what, ADD, contenders, _figures(kind, 4), longer=_longer(kind))


def _values(
    formula: Formula, kind: Kind, settings: Settings, ours: Callable[[Tensor], Tensor]
) -> dict[str, Value]:
    """Return the contenders: all of them on arrays up to `LARGE`, a few on larger ones."""
    values = {"ours": ours, "by hand": formula.by_hand}
    if _is_plain(kind) or kind.exponent == LARGE:
        settings.forget_compiled()
        values["ours, compiled"] = settings.compiled(formula.penalise)
        values["by hand, compiled"] = settings.compiled(formula.by_hand)
    if kind.exponent <= LARGE:
        values |= {"vector_norm": formula.norm, **formula.others}
    return values


def _is_plain(kind: Kind) -> bool:
    return kind == Kind(kind.exponent)


def _longer(kind: Kind) -> float:
    """Return 3 for the array for which bounds are stated."""
    return 3.0 if kind == Kind(LARGE) else 0.5


def _backward(value: Value, leaf: Tensor) -> Call:
    def step() -> None:
        leaf.grad = None
        value(leaf).backward()  # type: ignore[no-untyped-call]

    return step


def _figures(kind: Kind, passes: int) -> Mapping[str, float]:
    size = kind.dtype.itemsize
    return {"elements": kind.elements, "bytes of the limit": passes * size * kind.elements}
