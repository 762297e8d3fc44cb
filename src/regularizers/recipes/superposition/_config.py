"""The settings of the comparison on synthetic superposition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from regularizers.errors import ConfigurationError
from regularizers.recipes._settings import Architecture, check, check_counts, check_rate

BATCH = 512
"""Samples in an update, of all trainings."""

Problem: TypeAlias = Literal["A2", "A8", "B8"]

Theirs: TypeAlias = Literal["topk", "batchtopk", "matryoshka", "jumprelu", "gated", "l1"]


@dataclass(frozen=True)
class Config:
    """Train sparse autoencoders on problems whose dictionary is known, and compare with the truth.

    Samples are sums of few directions of a dictionary that has more of them than dimensions. Each
    training sees the same samples once, told how many are active. It ends with a table of fresh
    samples, a picture, and a folder that holds both and all figures; with --against saelens, beside
    the trainers of SAELens.
    """

    problems: tuple[Problem, ...] = ("A2", "A8", "B8")
    """A2, A8: 256 features in 64 dimensions, 2.8 and 8 of them active. B8: 1024 in 128, rare and
    correlated, 8 active."""

    architectures: tuple[Architecture, ...] = ("jumprelu", "batchtopk")
    """Architectures of our autoencoders; none with an empty list. l1 is followed by a refit of
    what it shrank."""

    units: float = 1.0
    """Latents, as a multiple of the features of a problem."""

    samples: int | None = None
    """Samples to train on; by default 1,000,000, for B8 600,000."""

    learning_rate: float = 3e-3
    """Learning rate of ours."""

    against: Literal["saelens"] | None = None
    """Another library to train on the same samples, installed beside this one."""

    theirs: tuple[Theirs, ...] = ("topk", "batchtopk", "matryoshka", "jumprelu", "gated", "l1")
    """Its trainers. For jumprelu, gated and l1 a coefficient is searched, in up to four trainings,
    until as many latents are active."""

    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 2e-2)
    """Learning rates that each of its trainers is run at; the table has the best by EV."""

    seeds: int = 2
    """Number of seeds, for samples and initial weights."""

    seed: int = 1
    """The first seed."""

    jobs: int = 2
    """Autoencoders trained in parallel, each in a process with one thread."""

    runs: Path = Path("runs")
    """Folder in which the folder of this run is made."""

    resume: Path | None = None
    """Folder of an interrupted run to go on with; it knows its settings."""

    from_scratch: tuple[str, ...] = ()
    """Trainings of the run to --resume that are run anew, by their names in its lines."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""
        check_counts(seeds=self.seeds, jobs=self.jobs)
        check("problems", bool(self.problems), "one or more of A2, A8, B8", "none")
        check(
            "units",
            math.isfinite(self.units) and self.units > 0,
            "a positive and finite multiple of the features",
            self.units,
        )
        check(
            "samples",
            self.samples is None or self.samples >= BATCH,
            f"{BATCH} or more, the samples of one update",
            self.samples,
        )
        check("seed", self.seed >= 0, "0 or more", self.seed)
        check_rate("learning-rate", self.learning_rate)
        self._check_against()

    def _check_against(self) -> None:
        if self.against is None:
            for name in ("theirs", "rates"):
                check(
                    name,
                    getattr(self, name) == getattr(Config, name),
                    "--against saelens with it, whose setting it is",
                    "none",
                )
            check("architectures", bool(self.architectures), "one or more to train", "none")
            return
        for rate in self.rates:
            check_rate("rates", rate)
        if not self.theirs or not self.rates:
            name = "rates" if self.theirs else "theirs"
            raise ConfigurationError(
                f"{name}: expected one or more with --against {self.against}, got none"
            )

    def all_seeds(self) -> range:
        """Return the seeds that each trainer is run from."""
        return range(self.seed, self.seed + self.seeds)
