"""The settings of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from regularizers.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    """How an autoencoder is trained; `train` says what each means."""

    learning_rate: float
    revive: bool
    clip: float
    seed: int
    accumulated: int = 1
    """Batches of one step."""
    betas: tuple[float, float] = (0.9, 0.99)
    annealed: float = 1 / 3
    """The last part of the training, over which the rate falls to 0."""
    warm_up: float = 1 / 20
    """The first part, over which it rises: Adam's first steps are as long as any other."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ConfigurationError(f"{name}: expected a finite number above 0, got {value!r}")

    def rate_at(self, step: int, steps: int) -> float:
        """Return what the learning rate is multiplied by at a step."""
        rises = (step + 1) / (self.warm_up * steps)
        return min(rises, 1.0, max(steps - step, 0) / (self.annealed * steps))
