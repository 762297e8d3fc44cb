"""One strength with a target: its law, and what the law is told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regularizers.attach.reading import Gauge
from regularizers.control import Average, Diagnosis, Law, Target


class Reached(NamedTuple):
    """How far a strength with a target has come."""

    measured: float
    """The moving average over 10 steps of what is measured; NaN before the first."""
    wanted: float
    unit: str
    strength: float

    def __str__(self) -> str:
        return (
            f"{self.measured:.4g} of {self.wanted:.4g} {self.unit}, at a strength of "
            f"{self.strength:.3g}"
        )


class Controller:
    """A target, the law that drives to it, and what the law is told."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.law = Law(target.wanted, target.initial)
        self.diagnosis = Diagnosis()
        self.gauge = Gauge()

    def step(self, sums: Sequence[float]) -> str | None:
        """Take the sums of a step, begin the next, and return what is to be said, if anything."""
        self.gauge.clear()
        total, count, loss, penalty = sums
        if not count:
            return None
        scale = self.law.strength * math.sqrt(loss / penalty) if penalty else math.nan
        self.law.update(total / count, scale)
        return self.diagnosis.look(self.law, total / count)

    def state(self) -> dict[str, Any]:
        """Return where it stands, as plain numbers."""
        return {
            "law": dataclasses.asdict(self.law),
            "diagnosis": dataclasses.asdict(self.diagnosis),
            "sums": self.gauge.sums(torch.device("cpu")).tolist(),
        }

    def restored(self, state: Mapping[str, Any]) -> tuple[Law, Diagnosis, Tensor]:
        """Return what `state` says; here nothing changes yet."""
        sums = torch.tensor(state["sums"], dtype=torch.float64)
        if sums.shape != (4,):
            raise ValueError(f"sums: {sums.tolist()}")
        return _restored(Law, state["law"]), _restored(Diagnosis, state["diagnosis"]), sums

    def stand(self, law: Law, diagnosis: Diagnosis, sums: Tensor) -> None:
        """Stand where `restored` says."""
        self.law, self.diagnosis = law, diagnosis
        self.gauge.restore(sums)


def _restored(kind: type[Any], state: Mapping[str, Any]) -> Any:
    """Return the dataclass that `dataclasses.asdict` made plain."""
    return kind(
        **{
            name: Average(**value) if isinstance(value, Mapping) else value
            for name, value in state.items()
        }
    )
