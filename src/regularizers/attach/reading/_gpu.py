"""Large arrays on a GPU, read or written in one pass by kernels that PyTorch's compiler makes.

They are made the first time a penalty meets such an array, which takes seconds. Their sums are
taken in a fixed order, so that a step repeated is the same to the last bit.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from regularizers.attach.reading import _namespace as xp
from regularizers.penalties import Separable

LARGE = 2**20
"""Elements from which a pass over the memory costs more than a call."""


def is_fused(x: Tensor) -> bool:
    """Return whether `x` is read by a kernel of its own: nothing else fuses what is made of it."""
    return x.numel() >= LARGE and x.is_cuda and _Kernel.work and torch.utils._triton.has_triton()


def read(x: Tensor, term: Separable, *, signs: bool) -> tuple[Tensor, Tensor | None]:
    """Return the statistic of `x`, and its signs if asked for."""
    result: tuple[Tensor, Tensor | None] = _READ(x.detach(), term, signs)
    return result


def slope(kept: Tensor, term: Separable, cotangent: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the gradient of (statistic · cotangent), of the type `dtype`."""
    result: Tensor = _SLOPE(kept, term, cotangent, dtype)
    return result


def _read(x: Tensor, term: Separable, signs: bool) -> tuple[Tensor, Tensor | None]:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return term.element(xp, wide).sum(), torch.sign(x).to(torch.int8) if signs else None


def _slope(kept: Tensor, term: Separable, cotangent: Tensor, dtype: torch.dtype) -> Tensor:
    gradient: Tensor = cotangent * term.element_slope(xp, kept.to(cotangent.dtype))
    return gradient.to(dtype)


class _Kernel:
    """A function compiled, for as long as the compiler works; then as it is."""

    work: ClassVar[bool] = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @functools.cached_property
    def _compiled(self) -> Callable[..., Any]:
        return torch.compile(self._function, dynamic=True)

    def __call__(self, *arguments: Any) -> Any:
        try:
            return self._compiled(*arguments)
        except Exception as error:
            _Kernel.work = False
            warnings.warn(
                f"no kernel could be compiled that reads {arguments[0].device} in one pass, so "
                f"that it takes several ({type(error).__name__}: {error})",
                stacklevel=2,
            )
            return self._function(*arguments)


_READ, _SLOPE = _Kernel(_read), _Kernel(_slope)
