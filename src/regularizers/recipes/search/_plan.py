"""What is searched, and how a trial is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Values: TypeAlias = Mapping[str, float]
"""The strengths of a trial, by name."""


@dataclass(frozen=True)
class Strength:
    """A setting that can be searched.

    Args:
        name: its option on the command line, without the dashes.
        low: the least value that is tried. Below it a penalty does nothing.
        high: the largest value that is tried. Above it nothing is learned.
        usual: the value of the first trial.
        log: whether values are drawn evenly by their logarithm.
    """

    name: str
    low: float
    high: float
    usual: float
    log: bool = True


@dataclass(frozen=True)
class Plan:
    """A search.

    Args:
        strengths: what is searched; all of it is 0 in the networks without.
        trials: how many sets of strengths are tried.
        seeds: the seeds of each trial. A trial that does badly on the first is ended early.
        seed: determines which strengths are tried.
        score: the name of the score.
        inner: the score of a network by which trials are compared, from its strengths and its
            seed. It may not know the samples of `outer`. Not finite, if it did not train.
        outer: the score that is reported. It is asked again where a search goes on, and keeps what
            it measured.
        higher: whether a higher score is better.
        unit: what follows its number.
    """

    strengths: tuple[Strength, ...]
    trials: int
    seeds: tuple[int, ...]
    seed: int
    score: str
    inner: Callable[[Values, int], float]
    outer: Callable[[Values, int], float]
    higher: bool = True
    unit: str = ""

    @property
    def without(self) -> dict[str, float]:
        """The strengths of a network without what is searched."""
        return {strength.name: 0.0 for strength in self.strengths}


def named(values: Values) -> str:
    """Return strengths as text.

    Example:
        >>> named({"l1": 0.00031, "dropout": 0.5})
        'l1 0.00031, dropout 0.5'
    """
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def checkpoint_of(values: Values, seed: int) -> str:
    """Return the name of the checkpoint of a trial's network in the folder of a run.

    Example:
        >>> checkpoint_of({"l1": 0.00031, "dropout": 0.5}, 0)
        'checkpoints/search-l1-0.00031-dropout-0.5-0.ckpt'
    """
    return f"checkpoints/search-{named(values).replace(', ', '-').replace(' ', '-')}-{seed}.ckpt"
