"""The settings of a run of the benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Settings:
    """The device of all timings, and their duration.

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
        """The function that waits for the device; None if calls are synchronous."""
        return torch.cuda.synchronize if self.device == "cuda" else None

    @property
    def clock(self) -> Callable[[], float]:
        """The timer.

        On one thread that is the time of the processor, which does not go on while the machine
        does something else; more threads wait for each other, and a GPU is waited for.
        """
        alone = self.device == "cpu" and self.threads == 1
        return time.process_time if alone else time.perf_counter

    def prepare(self) -> None:
        """Set the number of threads of PyTorch and NumPy, and the seeds."""
        torch.set_num_threads(self.threads)
        threadpool_limits(self.threads, user_api="blas")
        torch.manual_seed(0)

    def forget_compiled(self) -> None:
        """Clear compiled programs: for a second shape the compiler would generate dynamic code."""
        if not self.quick:
            torch.compiler.reset()

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function compiled for static shapes; uncompiled in a quick run."""
        return function if self.quick else torch.compile(function, dynamic=False)
