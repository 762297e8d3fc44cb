"""The array libraries that penalties are checked with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Library:
    """How arrays are made and read."""

    name: str
    array: Callable[..., Any]
    """Makes an array of numbers, and of a type by its name."""
    numbers: Callable[[Any], Any]
    """Returns the numbers of an array in float64."""
    halves: tuple[str, ...]
    """Types of half precision."""


def libraries() -> Iterator[Library]:
    """Yield NumPy, and PyTorch if it is installed."""
    yield Library("NumPy", _numpy_array, lambda x: np.asarray(x, dtype=np.float64), ("float16",))
    if find_spec("torch") is not None:
        yield Library("PyTorch", _tensor, _of_tensor, ("float16", "bfloat16"))


def _numpy_array(numbers: Any, dtype: str = "float64") -> Any:
    return np.array(numbers, dtype=dtype)


def _tensor(numbers: Any, dtype: str = "float64") -> Any:
    import torch

    return torch.tensor(np.asarray(numbers), dtype=getattr(torch, dtype))


def _of_tensor(x: Any) -> Any:
    return x.detach().double().numpy(force=True).copy()
