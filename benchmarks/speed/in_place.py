"""The gradient of a penalty added in place to an existing one, with the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from benchmarks.speed.arrays import LARGE
from benchmarks.speed.cases import Case
from benchmarks.speed.settings import Settings
from benchmarks.speed.timing import Contenders

import regularizers as rz

GROUP = "in-place"
LIMIT = "g += x"
"""12 bytes an element of float32: reads two arrays and writes one."""

S = 1e-3
Line = Callable[[Any, Any], object]

PENALTIES: dict[str, rz.Penalty] = {
    "L1": rz.L1(S),
    "L2Squared": rz.L2Squared(S),
    "L1L2": rz.L1L2(S, S),
}


def _numpy_l1(x: Any, g: Any) -> object:
    g += S * np.sign(x)
    return S * np.abs(x).sum()


def _numpy_l2(x: Any, g: Any) -> object:
    g += 2 * S * x
    return S * np.square(x).sum()


def _numpy_l1l2(x: Any, g: Any) -> object:
    g += S * np.sign(x) + 2 * S * x
    return S * np.abs(x).sum() + S * np.square(x).sum()


def _torch_l1(x: Any, g: Any) -> object:
    g += S * x.sign()
    return S * x.abs().sum()


def _torch_l2(x: Any, g: Any) -> object:
    g += 2 * S * x
    return S * x.square().sum()


def _torch_l1l2(x: Any, g: Any) -> object:
    g += S * x.sign() + 2 * S * x
    return S * x.abs().sum() + S * x.square().sum()


BY_HAND: dict[str, dict[str, Line]] = {
    "NumPy": {"L1": _numpy_l1, "L2Squared": _numpy_l2, "L1L2": _numpy_l1l2},
    "PyTorch": {"L1": _torch_l1, "L2Squared": _torch_l2, "L1L2": _torch_l1l2},
}


def cases(settings: Settings) -> Iterator[Case]:
    """Yield each penalty in each library; NumPy runs on the CPU only."""
    libraries = ["NumPy", "PyTorch"] if settings.device == "cpu" else ["PyTorch"]
    for library in libraries:
        for penalty in PENALTIES:
            for exponent in (10,) if settings.quick else (20, LARGE):
                yield _case(library, penalty, exponent, settings)


def name_of(library: str, penalty: str, exponent: int) -> str:
    return f"{penalty}, {library}, 2^{exponent}"


def _case(library: str, penalty: str, exponent: int, settings: Settings) -> Case:
    def contenders() -> Contenders:
        x: Any = torch.randn(2**exponent, device=settings.device)
        g: Any = torch.zeros_like(x)
        if library == "NumPy":
            x, g = x.numpy(), g.numpy()
        ours, by_hand = PENALTIES[penalty], BY_HAND[library][penalty]
        lines: dict[str, Line] = {LIMIT: _add, "ours": ours.apply, "by hand": by_hand}
        if library == "PyTorch":
            settings.forget_compiled()
            lines["by hand, compiled"] = settings.compiled(by_hand)
        return {name: partial(line, x, g) for name, line in lines.items()}

    elements = 2**exponent
    figures = {"elements": elements, "bytes of the limit": 12 * elements}
    return Case(GROUP, name_of(library, penalty, exponent), LIMIT, contenders, figures)


def _add(x: Any, g: Any) -> None:
    g += x
