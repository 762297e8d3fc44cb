"""Pairs of tasks on the digits of scikit-learn, 1,797 pictures of 8 by 8 pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor

SHARE = 0.7
"""The share of the pictures that is for training."""


class Samples(NamedTuple):
    """Pictures and their labels."""

    x: Tensor
    y: Tensor


class Task(NamedTuple):
    """The samples of one task."""

    training: Samples
    test: Samples


class Pair(NamedTuple):
    """Two tasks in sequence, which one network has one head for."""

    classes: int
    first: Task
    second: Task


@cache
def _digits() -> Samples:
    digits = load_digits()
    return Samples(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))


def permuted(seed: int) -> Pair:
    """Return the ten digits, and the same with their pixels in another order."""
    x, y = _digits()
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(seed))
    return Pair(10, _split(Samples(x, y), seed), _split(Samples(x[:, order], y), seed))


def halves(seed: int) -> Pair:
    """Return the digits 0 to 4, and 5 to 9, whose labels are 0 to 4 again."""
    x, y = _digits()
    first, second = [Samples(x[chosen], y[chosen] % 5) for chosen in (y < 5, y >= 5)]
    return Pair(5, _split(first, seed), _split(second, seed))


PAIRS: dict[str, Callable[[int], Pair]] = {"permuted pixels": permuted, "0–4, then 5–9": halves}


def _split(samples: Samples, seed: int) -> Task:
    order = torch.randperm(len(samples.y), generator=torch.Generator().manual_seed(1000 + seed))
    number = int(SHARE * len(order))
    some, others = order[:number], order[number:]
    return Task(
        Samples(samples.x[some], samples.y[some]), Samples(samples.x[others], samples.y[others])
    )
