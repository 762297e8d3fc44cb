"""The penalties that are timed, and the code a user would write instead."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

import regularizers as rz

# a site's read of an array, without the site
from regularizers.attach.reading._plan import penalise

Value = Callable[[Tensor], Tensor]


class Formula(NamedTuple):
    """One penalty of an array of three axes: time, batch, features.

    `others` are lines out of other libraries, by the name of the library.
    """

    name: str
    penalty: rz.Penalty
    by_hand: Value
    norm: Value
    others: dict[str, Value]

    def penalise(self, x: Tensor) -> Tensor:
        """Return the penalty as a site records it: a scalar in the graph of `x`."""
        (term,) = self.penalty.terms
        return penalise(x, term, 1)


def formulas() -> list[Formula]:
    """Return the three penalties."""
    return [
        Formula(
            "L1",
            rz.L1(1.0),
            lambda x: x.abs().sum(),
            lambda x: torch.linalg.vector_norm(x, 1),
            {"Keras": keras_regularizer("L1")},
        ),
        Formula(
            "L2Squared",
            rz.L2Squared(1.0),
            lambda x: x.pow(2).sum(),
            lambda x: torch.linalg.vector_norm(x).square(),
            {"Keras": keras_regularizer("L2"), "fastai": _fastai_ar},
        ),
        Formula(
            "TAR",
            # TAR(1.0) of states with axes (time, batch, features)
            rz.Temporal(rz.L2Squared(1.0, reduce="mean", batch_axis=1), time_axis=0),
            lambda h: (h[1:] - h[:-1]).pow(2).mean(),
            lambda h: torch.linalg.vector_norm(h[1:] - h[:-1]).square() / h[1:].numel(),
            {"fastai": _fastai_tar},
        ),
    ]


def keras_regularizer(name: str) -> Value:
    """Return Keras' regularizer of this name with strength 1, computing with PyTorch."""
    return lambda x: _keras(name)(x)


@cache
def _keras(name: str) -> Any:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras  # type: ignore[import-untyped]  # here, since it takes seconds

    return getattr(keras.regularizers, name)(1.0)


def _fastai_ar(h: Tensor) -> Tensor:
    """Return the penalty of fastai's `RNNRegularizer` for alpha = 1."""
    return 1.0 * h.float().pow(2).mean()


def _fastai_tar(h: Tensor) -> Tensor:
    """Return the penalty of fastai's `RNNRegularizer` for beta = 1; its time axis is the second."""
    return 1.0 * (h[:, 1:] - h[:, :-1]).float().pow(2).mean()
