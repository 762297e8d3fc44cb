"""How a run of the benchmark is made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Settings:
    """Where everything is timed, and for how long.

    Args:
        device: `"cpu"` or `"cuda"`.
        threads: how many threads PyTorch may use.
        seconds: how long the contenders of a case take turns, at least.
        rounds: how many turns each of them has, at least.
        quick: tiny arrays and models, to see that everything runs.
    """

    device: str = "cpu"
    threads: int = 1
    seconds: float = 1.0
    rounds: int = 5
    quick: bool = False

    @property
    def synchronise(self) -> Callable[[], object] | None:
        """What waits for the device; None where calls return when they are done."""
        return torch.cuda.synchronize if self.device == "cuda" else None

    @property
    def clock(self) -> Callable[[], float]:
        """What tells the time.

        On one thread that is the time of the processor, which does not go on while the machine
        does something else; more threads wait for each other, and a GPU is waited for.
        """
        alone = self.device == "cpu" and self.threads == 1
        return time.process_time if alone else time.perf_counter

    def prepare(self) -> None:
        """Let PyTorch and NumPy use so many threads, and begin from the same random numbers."""
        torch.set_num_threads(self.threads)
        threadpool_limits(self.threads, user_api="blas")
        torch.manual_seed(0)

    def forget_compiled(self) -> None:
        """Let nothing that was compiled count: for a second shape a compiler makes other code."""
        if not self.quick:
            torch.compiler.reset()

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function compiled for the shapes it is called with; as it is, if quick."""
        return function if self.quick else torch.compile(function, dynamic=False)
