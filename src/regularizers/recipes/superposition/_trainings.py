"""The trainings of a comparison: which there are, and what each of them is told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

from regularizers.errors import ConfigurationError
from regularizers.recipes.superposition._config import BATCH, Config
from regularizers.sae.synthetic import Superposition, SyntheticBatches

OURS, SAELENS = "regularizers", "SAELens"


class _Stated(NamedTuple):
    """What trainings of a problem are told."""

    active: float
    samples: int


_STATED = {
    "A2": _Stated(2.8, 1_000_000),
    "A8": _Stated(8.0, 1_000_000),
    "B8": _Stated(8.0, 600_000),
}


@dataclass(frozen=True)
class Training:
    """One training: of which library, on which samples."""

    problem: str
    seed: int
    library: str
    architecture: str
    learning_rate: float
    units: float
    """Latents, as a multiple of the features."""
    samples: int | None = None
    """None: as many as the problem has by default."""

    @property
    def active(self) -> float:
        """The active latents of a sample that are asked for."""
        return _STATED[self.problem].active

    @property
    def steps(self) -> int:
        """The number of updates; each sample is seen once."""
        return (self.samples or _STATED[self.problem].samples) // BATCH

    def source(self) -> Superposition:
        """Return the problem with its dictionary."""
        return _source(self.problem)

    def batches(self, source: Superposition) -> SyntheticBatches:
        """Return the batches that every training of the problem and the seed sees."""
        return source.batches(BATCH, self.steps, seed=100 + self.seed)

    def latents(self, source: Superposition) -> int:
        """Return the number of latents."""
        return round(source.features * self.units)

    def key(self) -> dict[str, Any]:
        """Return what tells the trainings of one run apart, as plain values."""
        return {k: v for k, v in asdict(self).items() if k not in ("units", "samples")}

    def __str__(self) -> str:
        rate = "" if self.library == OURS else f" at {self.learning_rate:g}"
        return f"{self.problem}, seed {self.seed}, {self.library} {self.architecture}{rate}"


@cache
def _source(problem: str) -> Superposition:
    # the dictionary of B8 takes seconds to make, and a source holds no state
    return Superposition.named(problem)


def trainings_of(config: Config) -> list[Training]:
    """Return all trainings of a run, in the order of its table."""
    trainers: list[tuple[str, str, float]]
    trainers = [(OURS, one, config.learning_rate) for one in config.architectures]
    if config.against is not None:
        trainers += [(SAELENS, one, rate) for one in config.theirs for rate in config.rates]
    found = [
        Training(problem, seed, *trainer, config.units, config.samples)
        for problem in config.problems
        for trainer in trainers
        for seed in config.all_seeds()
    ]
    return [*dict.fromkeys(found)]


def described(trainings: Sequence[Training]) -> list[str]:
    """Return a line for each problem.

    Raises:
        ConfigurationError: there are no more latents than are to be active.
    """
    lines = []
    for one in {one.problem: one for one in trainings}.values():
        source = one.source()
        latents = one.latents(source)
        if latents <= one.active:
            raise ConfigurationError(
                f"units: expected a multiple of the {source.features} features of {one.problem} "
                f"that makes more latents than the {one.active:g} to be active, got {one.units:g}, "
                f"which makes {latents}"
            )
        lines.append(
            f"{one.problem}: {source.features} features in {source.dimensions} dimensions, "
            f"{one.active:g} active; {latents} latents, {one.steps} updates of {BATCH} samples"
        )
    return lines


def digest_of(trainings: Sequence[Training]) -> str:
    """Return a fingerprint of the first batch of each problem, compared when a run is resumed."""
    digest = hashlib.sha256()
    for one in {one.problem: one for one in trainings}.values():
        digest.update(one.batches(one.source())[0].numpy().tobytes())
    return digest.hexdigest()[:16]
